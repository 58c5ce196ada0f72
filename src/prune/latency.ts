export const searchLatency: any = null; // STUB

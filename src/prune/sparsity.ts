export const sparsify: any = null; // STUB

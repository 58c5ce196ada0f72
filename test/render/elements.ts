import { expect } from "@jest/globals";

/** Names of elements, in order; throws where tags do not match or a sign stands where XML allows none. */
export function elementsOf(xml: string): string[] {
  const open: string[] = [];
  const seen: string[] = [];
  let rest = xml.replace(/^<\?xml [^?]*\?>\n/, "");
  while (rest !== "") {
    const tag = /^<(\/?)([a-z-]+)((?: [a-z]+="[^"<>&]*(?:&#\d+;[^"<>&]*)*")*)(\/?)>/.exec(rest);
    const words = /^(?:[^<>&]|&#\d+;)+/.exec(rest);
    if (!tag && !words) throw new Error(`not XML: ${rest.slice(0, 60)}`);
    if (tag?.[1]) expect(open.pop()).toBe(tag[2]);
    else if (tag) {
      seen.push(tag[2]!);
      if (!tag[4]) open.push(tag[2]!);
    }
    rest = rest.slice((tag ?? words)![0].length);
  }
  expect(open).toEqual([]);
  return seen;
}

import { describe, expect, test } from "@jest/globals";
import { Http1Parser } from "../../../src/bench/endpoints/http1.js";
import fc from "../../property.js";

interface Read {
  status: number | null;
  headers: Record<string, string>;
  body: string;
  /** Whether the connection may be used again; null while the answer is not complete. */
  end: boolean | null;
  malformed: string | null;
}

/** Reads bytes in pieces cut at these places. */
function read(bytes: Buffer, cuts: readonly number[], eof = false): Read {
  const result: Read = { status: null, headers: {}, body: "", end: null, malformed: null };
  const body: Buffer[] = [];
  const parser = new Http1Parser({
    onHead: (head) => {
      result.status = head.status;
      result.headers = Object.fromEntries(head.headers);
    },
    onBody: (piece, start, end) => body.push(Buffer.from(piece.subarray(start, end))),
    onEnd: (reusable) => {
      result.end = reusable;
    },
    onMalformed: (message) => {
      result.malformed = message;
    },
  });
  parser.expect();
  const places = [0, ...[...new Set(cuts)].sort((a, b) => a - b).filter((cut) => cut < bytes.length), bytes.length];
  for (let index = 1; index < places.length; index += 1) {
    // as a socket hands it over: a piece of a buffer that changes afterwards
    const lent = Buffer.concat([
      Buffer.from("##"),
      bytes.subarray(places[index - 1], places[index]),
      Buffer.from("##"),
    ]);
    parser.push(lent, 2, lent.length - 2);
    lent.fill(35);
  }
  if (eof) parser.finish();
  result.body = Buffer.concat(body).toString();
  return result;
}

function readText(text: string, eof = false): Read {
  return read(Buffer.from(text, "latin1"), [], eof);
}

const chunked =
  "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nX-A: 1\r\nx-a: 2\r\n\r\n" +
  '5;name="v"\r\nhello\r\n1 ;x\r\n \r\n00A\r\nworld\r\n\r\n!\r\n0\r\nTrailer: x\r\nOther: y\r\n\r\n';

describe("answers of HTTP/1.1", () => {
  test("chunked with extensions, trailers and an interim answer, cut at every byte", () => {
    const bytes = Buffer.from(chunked);
    const whole = read(bytes, []);
    expect(whole).toEqual({
      status: 200,
      headers: { "transfer-encoding": "Chunked", "x-a": "1, 2" },
      body: "hello world\r\n\r\n!",
      end: true,
      malformed: null,
    });
    for (let cut = 1; cut < bytes.length; cut += 1) expect(read(bytes, [cut])).toEqual(whole);
    expect(read(bytes, [...bytes.keys()])).toEqual(whole);
  });

  test("any sizes of chunks and any cuts give the same body", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ minLength: 1 })), fc.array(fc.nat(400)), (parts, cuts) => {
        const bytes = Buffer.from(
          `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${parts
            .map((part) => `${Buffer.byteLength(part).toString(16)}\r\n${part}\r\n`)
            .join("")}0\r\n\r\n`,
        );
        expect(read(bytes, cuts)).toMatchObject({ body: parts.join(""), end: true, malformed: null });
      }),
    );
  });

  test.each([
    ["a length", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "hi", true],
    ["a length of 0", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "", true],
    ["no body by its status", "HTTP/1.1 204 No Content\r\n\r\n", "", true],
    ["line feeds alone", "HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", "hi", true],
    ["no reason phrase", "HTTP/1.1 200\r\ncontent-length:2\r\n\r\nhi", "hi", true],
    ["the same length twice", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi", "hi", true],
    ["a server that closes", "HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 2\r\n\r\nhi", "hi", false],
    ["HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", "hi", false],
    ["HTTP/1.0 that stays", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi", "hi", true],
    ["bytes after the answer", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\n\r\n", "hi", false],
    ["bytes after the last chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nx", "", false],
    [
      "length and chunks",
      "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "",
      false,
    ],
  ])("%s", (_, text, body, reusable) => {
    expect(readText(text)).toMatchObject({ body, end: reusable, malformed: null });
    expect(read(Buffer.from(text), [...Buffer.from(text).keys()])).toMatchObject({ body, malformed: null });
  });

  test("a body without a length ends with the connection, others do not", () => {
    expect(readText("HTTP/1.1 200 OK\r\n\r\nhi", true)).toMatchObject({ body: "hi", end: false });
    expect(readText("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi", true)).toMatchObject({ body: "hi", end: null });
    expect(readText("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n", true).end).toBeNull();
    expect(readText("HTTP/1.1 200 OK\r\nConte", true).end).toBeNull();
  });

  test.each([
    ["SSH-2.0-OpenSSH_9.2\r\n\r\n", "not an answer of HTTP/1.1: SSH-2.0-OpenSSH_9.2"],
    ["HTTP/2 200\r\n\r\n", "not an answer of HTTP/1.1"],
    ["HTTP/1.1 99 Low\r\n\r\n", "not an answer of HTTP/1.1"],
    ["HTTP/1.1 101 Switching Protocols\r\n\r\n", "status 101"],
    ["HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "a header without a name"],
    ["HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "no length"],
    ["HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "no length"],
    ["HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "transfer encoding gzip, chunked"],
    ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "a chunk without a size"],
    ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n", "a chunk is longer than its size says"],
    ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n", "a chunk without a size"],
    [`HTTP/1.1 200 OK\r\n${"x: y\r\n".repeat(20000)}`, "a head that does not end"],
    [`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;${"x".repeat(9000)}`, "a head that does not end"],
  ])("malformed: %j", (text, message) => {
    expect(readText(text).malformed).toContain(message);
    const bytes = Buffer.from(text.slice(0, 200));
    if (text.length < 200) expect(read(bytes, [...bytes.keys()]).malformed).toContain(message);
  });

  test("rubbish never throws and never completes twice", () => {
    const piece = fc.oneof(
      fc.constantFrom(
        "HTTP/1.1 200 OK\r\n",
        "\r\n",
        "Content-Length: 3\r\n",
        "Transfer-Encoding: chunked\r\n",
        "0\r\n\r\n",
        "3\r\nabc\r\n",
      ),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.array(piece), fc.array(fc.nat(200)), (pieces, cuts) => {
        read(Buffer.from(pieces.join("")), cuts, true);
      }),
    );
  });
});

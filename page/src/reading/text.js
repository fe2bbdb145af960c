// Text of files as people have them: compressed by gzip or not, in the encodings of editors and spreadsheets.

import { unpacked } from "../fit/programs.js";
import { BadInput } from "./problem.js";

const starts = (bytes, ...mark) => mark.every((byte, i) => bytes[i] === byte);

/** First bytes of text in an encoding other than plain UTF-8; the longer ones first. */
const MARKS = [
  [[0xef, 0xbb, 0xbf], "utf-8"],
  [[0xff, 0xfe], "utf-16le"],
  [[0xfe, 0xff], "utf-16be"],
];
/** First bytes of files that are no text. */
const KINDS = [
  [[0x50, 0x4b, 3, 4], "a file of Excel or an archive; expected CSV: save the sheet as CSV"],
  [[0xd0, 0xcf, 0x11, 0xe0], "a file of Excel or an archive; expected CSV: save the sheet as CSV"],
  [[0x50, 0x41, 0x52, 0x31], "a Parquet file; expected CSV, the one form that a page reads"],
  [[0x41, 0x52, 0x52, 0x4f, 0x57, 0x31], "a Feather file; expected CSV, the one form that a page reads"],
  [[0x46, 0x45, 0x41, 0x31], "a Feather file; expected CSV, the one form that a page reads"],
];
const NOT_TEXT = "not a text file; expected CSV in UTF-8, UTF-16 with its mark, or Latin-1";

/** The text of a file's bytes, with lines that end in \n. */
export async function textOf(content, where) {
  let bytes = content;
  if (starts(bytes, 0x1f, 0x8b)) {
    try {
      bytes = await unpacked(bytes, "gzip");
    } catch {
      throw new BadInput(`${where}: cannot be read (damaged)`);
    }
  }
  const kind = KINDS.find(([mark]) => starts(bytes, ...mark));
  if (kind) throw new BadInput(`${where}: ${kind[1]}`);
  const marked = MARKS.find(([mark]) => starts(bytes, ...mark));
  const text = decoded(bytes, marked ? marked[1] : "utf-8", !marked);
  if (text === null || text.includes("\0")) throw new BadInput(`${where}: ${NOT_TEXT}`);
  return text.replaceAll("\r\n", "\n").replaceAll("\r", "\n");
}

function decoded(bytes, encoding, plain) {
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch {
    return plain ? new TextDecoder("latin1").decode(bytes) : null;
  }
}

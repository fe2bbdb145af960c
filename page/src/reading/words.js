// Sentences of the library as a reader of the page needs them: a field of the page in the place of what Python declares.

const ONE_FIT_EACH = "the field “several people, one fit each, by”";
const SESSIONS = "the field “sessions of one person, by”";
const ENDS = { min: "smallest that counts", max: "largest" };

/** What is said in Python, and what is said here. */
const WORDS = [
  [/, or codes=\{.*?\} \(--codes .*?\.\.\.\)/g, ", or a code for each value, in the fields below"],
  [/; perhaps columns=\{"[^}]*\} \([^)]*\)/g, "; perhaps one of these, in other letters"],
  [
    /sequence="(.*?)" \(--sequence .*?\) if they are sessions of one person, or by=".*?" \(--by .*?\) for one fit each/g,
    `$1 in ${SESSIONS} if they are that, or in ${ONE_FIT_EACH}`,
  ],
  [/declare the column \(sequence=\)/g, `choose the column in ${SESSIONS}`],
  [/\((min|max)_(\w+)\)/g, (_, end, name) => `(the field “${ENDS[end]}” of ${name})`],
  [/\(keep=\{'(.*?)': \.\.\.\}\)/g, `(the fields “${ENDS.min}” and “${ENDS.max}” of $1)`],
];

/** A sentence without words of Python. */
export const inPage = (sentence) => WORDS.reduce((text, [python, here]) => text.replaceAll(python, here), sentence);

// Bad input: one line that a user can act on.

export class BadInput extends Error {}

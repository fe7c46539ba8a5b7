/** An answer that is serialized already. `implement` sends its bytes as they are: a whole message of the method's output. */
export class EncodedMessage {
  readonly bytes: Buffer;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }
}

/** Wire type of strings, bytes and messages. */
const lengthDelimited = 2;

/**
 * A message in which only field `number` (1 to 15) is set, to these serialized messages: one, or all of a repeated
 * field. Spares reading and writing again what is stored as it is answered.
 */
export function embedMessages(number: number, messages: readonly Uint8Array[]): EncodedMessage {
  const length = messages.reduce((sum, { length: each }) => sum + 1 + varintBytes(each) + each, 0);
  const bytes = Buffer.allocUnsafe(length);
  let at = 0;
  for (const message of messages) {
    bytes[at++] = (number << 3) | lengthDelimited;
    for (let rest = message.length; ; rest >>>= 7) {
      bytes[at++] = rest < 0x80 ? rest : (rest & 0x7f) | 0x80;
      if (rest < 0x80) break;
    }
    bytes.set(message, at);
    at += message.length;
  }
  return new EncodedMessage(bytes);
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) bytes++;
  return bytes;
}

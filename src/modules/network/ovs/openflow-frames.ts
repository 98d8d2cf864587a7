import { HostError } from '../../../host/host-error.js';

/** `struct ofp_header` (OpenFlow specification, "OpenFlow Header"), the same in every version: version, type, length, xid. */
export const HEADER_BYTES = 8;

export interface Frame {
  readonly version: number;
  readonly type: number;
  readonly xid: number;
  /** What follows the header. A view of what was received: whoever keeps it copies it. */
  readonly body: Buffer;
}

/** Bytes that are not what the protocol says. Its code tells it from every error of the system. */
export const malformed = (what: string): HostError => new HostError('EBADMSG', what);

/** Cuts a stream into messages. It keeps one message at most, and the length of a message has 16 bits. */
export class FrameSplitter {
  private readonly header = Buffer.alloc(HEADER_BYTES);
  /** The message that came in part: its header alone until its length is known. */
  private partial = this.header;
  private filled = 0;

  /** Messages that end in this piece. @throws HostError EBADMSG for a length that is below the header's own; then the stream is lost */
  *take(piece: Buffer): Generator<Frame> {
    let at = 0;
    while (at < piece.length) {
      const length = this.filled === 0 && piece.length - at >= HEADER_BYTES ? lengthOf(piece, at) : Number.POSITIVE_INFINITY;
      if (piece.length - at >= length) {
        yield frameOf(piece.subarray(at, at + length));
        at += length;
        continue;
      }
      at += this.keep(piece, at);
      if (this.filled < this.partial.length) continue;
      const whole = this.partial;
      this.partial = this.header;
      this.filled = 0;
      yield frameOf(whole);
    }
  }

  /** @returns how many bytes it took */
  private keep(piece: Buffer, at: number): number {
    const taken = piece.copy(this.partial, this.filled, at);
    this.filled += taken;
    if (this.partial === this.header && this.filled === HEADER_BYTES) {
      this.partial = Buffer.allocUnsafe(lengthOf(this.header, 0));
      this.header.copy(this.partial);
    }
    return taken;
  }
}

function lengthOf(bytes: Buffer, at: number): number {
  const length = bytes.readUInt16BE(at + 2);
  if (length < HEADER_BYTES) throw malformed(`a message of ${length} bytes`);
  return length;
}

const frameOf = (bytes: Buffer): Frame => ({
  version: bytes[0],
  type: bytes[1],
  xid: bytes.readUInt32BE(4),
  body: bytes.subarray(HEADER_BYTES),
});

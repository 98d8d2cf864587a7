import type { TracingBlock } from '../../model/settings.js';
import type { Amount, BlockStates, Latency } from './words.js';

const FILES: readonly TracingBlock[] = ['files', 'uring', 'plain-files'];
/** Which blocks count what; any of them does. */
const BLOCKS: Readonly<Record<Latency | Amount, readonly TracingBlock[]>> = {
  ...{ rtt: ['tcp'], connect: ['tcp'], connect_errors: ['tcp'], retransmits: ['tcp'] },
  ...{ send_bytes: ['bytes'], receive_bytes: ['bytes'], dns: ['dns'] },
  ...{ read: FILES, write: FILES, fsync: FILES, read_bytes: FILES, write_bytes: FILES },
  ...{ cpu_block: ['cpu'], run_queue: ['cpu'] },
};
/** What is known without the program too. */
const PLAIN = ['rtt', 'retransmits', 'send_bytes', 'receive_bytes', 'read_bytes', 'write_bytes'] as const;

/** What the kernel side counts in one life of the program. */
export class Coverage {
  /** What blocks that are on cannot tell on this kernel, by its maps. */
  lacks: readonly string[] = [];

  constructor(readonly blocks: BlockStates) {}

  isOn(block: TracingBlock): boolean {
    return this.blocks[block] === null;
  }

  counts(what: Latency | Amount): boolean {
    return !this.lacks.includes(what) && BLOCKS[what].some((block) => this.isOn(block));
  }

  /** Nothing is left to be read without the program. */
  get isWhole(): boolean {
    return PLAIN.every((what) => this.counts(what));
  }
}

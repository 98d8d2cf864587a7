import type { Subject } from '../../src/model/collector.js';
import { Outcome } from '../../src/model/outcome.js';
import type { LastWords } from '../../src/modules/shim/pass-through.js';
import { isTold } from '../../src/modules/vmm/answer.js';
import { ToldShims } from '../sandboxes.js';
import { readShimText } from '../shim-reading.js';
import { dragonballText } from '../shim-texts.js';
import type { Trial } from './dialogue-trial.js';

/** A shim that said once what Dragonball counts, and is not asked again. */
class OneShim extends ToldShims {
  override last({ id }: Subject): LastWords | null {
    const { families } = readShimText(dragonballText(), { runtime: 'rust', id });
    return { outcome: Outcome.ok, isKept: true, linesOf: (family) => families.find(({ name }) => name === family)?.lines };
  }
}

export const dragonballTrial: Trial = {
  // Its shim hangs and lies in the room of shims.
  manners: ['answers'],
  needsSocket: false,
  async peer() {
    return { contacts: 0, shims: new OneShim(), close: async () => undefined };
  },
  record: () => ({ id: 'vm-1' }),
  settings: { shimSocketRuntimes: ['rust/dragonball'] },
  off: { shimSocketRuntimes: [] },
  check({ exits }) {
    if (!isTold(exits) || exits.ioIn === undefined || exits.mmioWrite === undefined) throw new Error('no exits');
  },
};

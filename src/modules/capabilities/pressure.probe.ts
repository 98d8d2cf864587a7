import { Outcome } from '../../model/outcome.js';
import { fix, lacks, type Probe, works } from './capability.js';
import { unlessGone } from './own-process.js';
import { codeOf } from './probe-tools.js';

/** Whether the kernel tells how long tasks stalled. */
export const pressure: Probe = {
  name: 'pressure',
  gives: 'stalls for lack of CPU, memory or I/O (PSI), which no collector reads yet',
  collectors: [],
  need: 'none',
  find: async ({ host, look }) => {
    try {
      if ((await unlessGone(look.text(host.proc('pressure', 'cpu')))) !== null) return works('the kernel tells it');
    } catch (error) {
      if (codeOf(error) !== 'EOPNOTSUPP') throw error;
      return lacks(Outcome.notConfigured, {
        detail: 'the kernel has PSI, and it was switched off when it booted',
        need: 'none',
        fix: fix('Switch it on at the next boot.', ['kernel command line', 'psi=1']),
      });
    }
    return lacks(Outcome.unsupported, {
      detail: 'the kernel has no PSI',
      need: 'none',
      fix: fix('Run Linux 4.20 or later, built with CONFIG_PSI.', ['shell', 'grep CONFIG_PSI /boot/config-$(uname -r)']),
    });
  },
};

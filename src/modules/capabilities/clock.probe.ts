import { Outcome } from '../../model/outcome.js';
import { timestamp } from '../../model/units.js';
import { fix, lacks, type Probe, works } from './capability.js';

/** Whether the host tells when it booted, and which boot it is. */
export const bootTime: Probe = {
  name: 'boot_time',
  gives: 'when a VM began, and whether a registered process is of this boot',
  collectors: [],
  need: 'required',
  find: ({ host }) => {
    const { bootId, bootMs, roots } = host;
    if (bootId !== null && bootMs !== null) return works(`booted ${timestamp(bootMs)}, boot ${bootId}`);
    const missing = [...(bootMs === null ? ['btime in stat'] : []), ...(bootId === null ? ['sys/kernel/random/boot_id'] : [])];
    return lacks(Outcome.gone, {
      detail: `${roots.proc} has no ${missing.join(' and no ')}`,
      need: 'required',
      fix: fix(
        "Give the agent the host's whole procfs.",
        ['vmgauge flag', '--path.procfs=/proc'],
        ['docker run', '--volume=/proc:/host/proc:ro IMAGE --path.procfs=/host/proc'],
      ),
    });
  },
};

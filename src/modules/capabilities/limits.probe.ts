import { Outcome } from '../../model/outcome.js';
import { parseLimits } from '../procfs/limits.js';
import { fix, lacks, type Probe, works } from './capability.js';
import { mountDirectory, ownProcfs } from './fixes.js';
import { unlessGone } from './own-process.js';
import { codeOf, running, some } from './probe-tools.js';

/** Descriptors for each VM, those of a Kata sandbox's companions and namespaces included; docs/operations.md says what they are. */
const PER_VM = 6;
const PER_COMPANION = 5;
/** Node, listeners, connections, rescans. */
const BASE = 256;
/** Share of the limit that may be held, as in the host room. */
const HOLDABLE_SHARE = 0.8;
const ROOMY = 65_536;

/** Whether the limit of open files is enough for the VMs of this host. */
export const descriptorLimit: Probe = {
  name: 'descriptor_limit',
  gives: 'cheap sweeps: files of VMs stay open, where the limit of this agent allows it',
  collectors: [],
  need: 'optional',
  find: async (tools) => {
    const { host, look } = tools;
    const text = await unlessGone(look.text(host.proc('self', 'limits')));
    if (text === null) return lacks(Outcome.gone, { detail: `${host.roots.proc} does not know this agent`, need: 'none', fix: ownProcfs });
    const limit = parseLimits(text)?.maxOpenFiles;
    if (limit === undefined) return lacks(Outcome.malformed, { detail: 'the limits of this agent cannot be understood', ...roomFor(0) });
    const instances = running(tools);
    const companions = instances.filter(({ record }) => record.sandbox).length * 2;
    const wanted = BASE + Math.ceil((instances.length * PER_VM + companions * PER_COMPANION) / HOLDABLE_SHARE);
    const needed = `${some(instances.length, 'running VM')} and the agent itself need ${wanted}`;
    if (limit >= wanted) return works(`${limit === Number.POSITIVE_INFINITY ? 'no limit' : `${limit} files may be open`}; ${needed}`);
    return lacks(Outcome.notConfigured, { detail: `${limit} files may be open; ${needed}`, ...roomFor(wanted) });
  },
};

const roomFor = (wanted: number) => {
  const enough = Math.max(ROOMY, wanted);
  return {
    need: 'optional' as const,
    fix: fix(
      'Raise the limit of open files of the agent.',
      ['systemd unit', `LimitNOFILE=${enough}`],
      ['docker run', `--ulimit=nofile=${enough}:${enough}`],
      ['shell', `ulimit -n ${enough}`],
    ),
  };
};

const INOTIFY = ['sys', 'fs', 'inotify'] as const;
const LIMITS: ReadonlyMap<string | undefined, string> = new Map([
  ['ENOSPC', 'max_user_watches'],
  ['EMFILE', 'max_user_instances'],
]);
const MORE = 2;

/** Whether a directory can still be watched. */
export const inotify: Probe = {
  name: 'inotify',
  gives: 'new Kata sandboxes and changes of the registration file at once, not at the next rescan',
  collectors: [],
  need: 'optional',
  find: async ({ host, look }) => {
    try {
      await look.watch(host.roots.run);
      return works('directories can be watched');
    } catch (error) {
      if (codeOf(error) === 'ENOENT') {
        const { run } = host.roots;
        return lacks(Outcome.gone, {
          detail: `${run} is not there`,
          need: 'optional',
          fix: mountDirectory('Let the agent see the run directory.', run),
        });
      }
      const limit = LIMITS.get(codeOf(error));
      if (limit === undefined) throw error;
      const now = Number((await look.text(host.proc(...INOTIFY, limit))).trim());
      const more = Number.isInteger(now) && now > 0 ? now * MORE : 1024;
      return lacks(Outcome.busy, {
        detail: `the user of this agent has used up fs.inotify.${limit}=${now}`,
        need: 'optional',
        fix: fix('Raise the limit; a file below /etc/sysctl.d keeps it.', ['shell', `sysctl -w fs.inotify.${limit}=${more}`]),
      });
    }
  },
};

import { ASKABLE_SHIMS } from '../../model/instance.js';
import { Outcome } from '../../model/outcome.js';
import type { Settings } from '../../model/settings.js';
import type { Instance } from '../instances/instance.js';
import { mayBeAsked } from '../shim/askable.js';
import { isTold } from '../vmm/answer.js';
import { parseNamedFiles } from '../vmm/firecracker-argv.js';
import { doorsOf } from '../vmm/qmp/door.js';
import { fix, lacks, type Probe, works } from './capability.js';
import { setFlag } from './fixes.js';
import { unlessGone } from './own-process.js';
import { idsOf, type ProbeTools, running, some } from './probe-tools.js';
import { qemuRecipe, stratovirtRecipe } from './qmp-recipe.js';
import { uncertain } from './seen.js';
import { type Door, doorProbe } from './vmm-doors.js';

/** A Firecracker has some dozens. */
const MANY_DESCRIPTORS = 256;

/** Of a monitor: whether this agent only borrows it. */
const isBorrowed = ({ record }: Instance, settings: Settings): boolean => {
  const doors = doorsOf(record, settings);
  return typeof doors !== 'number' && !doors.some(({ kind }) => kind === 'reserved');
};
/** Of an API that serves several clients. */
const always = (): boolean => true;

const QEMU: Door = {
  dialogue: 'qmp',
  hypervisors: ['qemu'],
  what: 'QEMU',
  off: ({ qmpMode }) => (qmpMode === 'off' ? '--vmm.qmp=reserved' : null),
  fix: qemuRecipe,
  isShared: isBorrowed,
  malformed:
    'What answers there does not write one line of QMP an answer: make the monitor with -qmp, not with -qmp-pretty, pretty=on, -monitor or the socket of a guest agent.',
};
const STRATOVIRT: Door = {
  dialogue: 'qmp',
  hypervisors: ['stratovirt'],
  what: 'StratoVirt',
  off: ({ qmpMode }) => (qmpMode === 'off' ? '--vmm.qmp=reserved' : null),
  fix: stratovirtRecipe,
  isShared: isBorrowed,
  malformed: 'What answers there does not talk QMP: look at its arguments.',
};
const CLOUD_HYPERVISOR: Door = {
  dialogue: 'cloud-hypervisor-api',
  hypervisors: ['cloud-hypervisor'],
  what: 'Cloud Hypervisor',
  off: ({ cloudHypervisorApi }) => (cloudHypervisorApi ? null : '--vmm.cloud-hypervisor'),
  fix: ({ host }) =>
    fix('Give Cloud Hypervisor an API socket.', ['cloud-hypervisor arguments', `--api-socket path=${host.run('NAME.sock')}`]),
  isShared: always,
  malformed: 'What answers there is not the API of Cloud Hypervisor, or of a version that this agent does not know: look at its arguments.',
};
const FIRECRACKER: Door = {
  dialogue: 'firecracker-api',
  hypervisors: ['firecracker'],
  what: 'Firecracker',
  off: ({ firecrackerApi }) => (firecrackerApi ? null : '--vmm.firecracker'),
  // Without one its metrics may still be read.
  isThere: ({ record }) => record.sockets?.[0] !== undefined,
  fix: ({ host }) => fix('Give Firecracker an API socket.', ['firecracker arguments', `--api-sock ${host.run('NAME.sock')}`]),
  isShared: always,
  malformed: 'What answers there is not the API of Firecracker, or of a version that this agent does not know: look at its arguments.',
};
/** Every kind of VMM that is asked over a socket of its own. */
export const DOORS: readonly Door[] = [QEMU, STRATOVIRT, CLOUD_HYPERVISOR, FIRECRACKER];

/** Collectors that read what a VMM answered. */
const ASKED = ['vmm', 'vmm_state', 'vmm_memory', 'guest_memory', 'balloon'];
const DEVICES = ['disks', 'vnics', 'vmm_events'];

/** Whether QEMU can be asked. */
export const qmp = doorProbe(
  'qmp',
  'state, vCPU threads, balloon, disks, vNICs, exits, migration and events of QEMU',
  [...ASKED, ...DEVICES, 'migration', 'kvm', 'vcpus', 'degraded'],
  QEMU,
);

/** Whether StratoVirt can be asked. */
export const stratovirtQmp = doorProbe('stratovirt_qmp', 'state, vCPU threads and balloon of StratoVirt', ASKED, STRATOVIRT);

/** Whether Cloud Hypervisor can be asked. */
export const cloudHypervisorApi = doorProbe(
  'cloud_hypervisor_api',
  'state, memory, disks and vNICs of Cloud Hypervisor',
  [...ASKED, ...DEVICES],
  CLOUD_HYPERVISOR,
);

/** Whether Firecracker can be asked. */
export const firecrackerApi = doorProbe('firecracker_api', 'state, balloon and machine of Firecracker', ASKED, FIRECRACKER);

/** Whether Firecracker writes metrics that can be read. */
export const firecrackerMetrics: Probe = {
  name: 'firecracker_metrics',
  gives: 'exits, disks, vNICs and events of Firecracker',
  collectors: ['exits', ...DEVICES],
  need: 'optional',
  find: async (tools) => {
    // A sandbox's are read by its shim.
    const all = running(tools).filter(({ record }) => record.hypervisor === 'firecracker' && !record.sandbox);
    const need = all.length > 0 ? 'optional' : 'none';
    const remedy = fix('Let Firecracker write its metrics to a regular file; the agent reads them where the VMM sees it.', [
      'firecracker arguments',
      '--metrics-path FILE',
    ]);
    if (tools.settings.firecrackerMetrics === 'off') {
      const flag = setFlag('Let the agent read them.', '--vmm.firecracker-metrics=file');
      return lacks(Outcome.notConfigured, { detail: 'the configuration switched it off', need, affects: idsOf(all), fix: flag });
    }
    if (all.length === 0) {
      const none = lacks(Outcome.gone, { detail: 'no Firecracker runs here', need, fix: remedy });
      return uncertain('no Firecracker that can be seen runs here', tools) ?? none;
    }
    const told = await Promise.all(all.map((instance) => writesMetrics(instance, tools)));
    const without = all.filter((_, i) => !told[i]);
    if (without.length === 0) return works(`metrics of ${some(all.length, 'Firecracker')} are written`);
    const detail = `metrics of ${without.length} of ${some(all.length, 'running Firecracker')} are written nowhere`;
    return lacks(Outcome.notConfigured, { detail, need, affects: idsOf(without), fix: remedy });
  },
};

/** What it told, or the option, or a file it has open that is called so. */
async function writesMetrics(instance: Instance, { asker, host, look }: ProbeTools): Promise<boolean> {
  const answer = asker?.answer(instance);
  if (answer) return isTold(answer.exits);
  const pid = String(instance.current?.pid);
  const { metrics } = parseNamedFiles((await unlessGone(look.text(host.proc(pid, 'cmdline')))) ?? '');
  if (metrics !== undefined) return true;
  const descriptors = (await unlessGone(look.names(host.proc(pid, 'fd'), MANY_DESCRIPTORS))) ?? [];
  const targets = await Promise.all(descriptors.map((descriptor) => unlessGone(look.link(host.proc(pid, 'fd', descriptor)))));
  return targets.some((target) => target !== null && /metrics/i.test(target));
}

/** Whether shims of Kata may be asked over their sockets. */
export const kataShims: Probe = {
  name: 'kata_shim_sockets',
  gives: 'metrics that only a shim has: its RPCs, the agent in the guest, Dragonball',
  collectors: ['shim_socket', 'shim_rpc'],
  need: 'optional',
  find: (tools) => {
    const { shimSocketRuntimes } = tools.settings;
    const sandboxes = running(tools).filter(({ record }) => record.sandbox);
    const kinds = new Set(sandboxes.map(({ record: { sandbox } }) => `${sandbox?.runtime}/${sandbox?.hypervisor}`));
    const askable = ASKABLE_SHIMS.filter((kind) => kinds.has(kind));
    const remedy = setFlag(
      'Let the agent ask shims of these kinds; a defect in a shim would be the end of its sandbox.',
      `--shim.socket-runtimes=${(askable.length > 0 ? askable : ASKABLE_SHIMS).join(',')}`,
    );
    if (sandboxes.length === 0) {
      const none = lacks(Outcome.gone, { detail: 'no Kata sandbox runs here', need: 'none', fix: remedy });
      return uncertain('no Kata sandbox that can be seen runs here', tools) ?? none;
    }
    const standings = sandboxes.map((instance) => ({ instance, standing: mayBeAsked(instance, shimSocketRuntimes) }));
    const without = standings.filter(({ standing }) => standing !== Outcome.ok);
    const detail = `${sandboxes.length - without.length} of ${some(sandboxes.length, 'shim')} may be asked`;
    if (without.length === 0) return works(detail);
    const affects = idsOf(without.map(({ instance }) => instance));
    const off = without.some(({ standing }) => standing === Outcome.notConfigured);
    if (off) return lacks(Outcome.notConfigured, { detail, need: 'optional', affects, fix: remedy });
    const never = fix('Nothing: shims of runtime-rs with QEMU or Firecracker die of the question, and the sandbox with them.');
    return lacks(Outcome.unsupported, { detail, need: 'none', affects, fix: never });
  },
};

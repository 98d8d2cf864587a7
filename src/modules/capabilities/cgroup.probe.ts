import { Outcome } from '../../model/outcome.js';
import { Hierarchies } from '../cgroup/hierarchies.js';
import { levels, parseMemberships } from '../cgroup/membership.js';
import { type Fix, fix, lacks, type Probe, type Step, works } from './capability.js';
import { unlessGone } from './own-process.js';
import { affected, idsOf, isOn, type ProbeTools, running, some } from './probe-tools.js';
import { uncertain } from './seen.js';

/** VMs whose cgroup is looked at; the others stand beside them as a rule. */
const MANY = 200;
/** Whoever may make a cgroup chooses its name: one that a shell could take for more than a name is not put into a command. */
const PLAIN_PATH = /^[A-Za-z0-9_.@:\\/+-]+$/;

const hostCgroups = fix(
  "Give the agent the host's cgroups.",
  ['docker run', '--cgroupns=host --volume=/sys/fs/cgroup:/sys/fs/cgroup:ro'],
  ['kubernetes', 'volumes: [{name: cgroup, hostPath: {path: /sys/fs/cgroup}}]'],
  ['shell', 'mount -t cgroup2 none /sys/fs/cgroup'],
  ['vmgauge flag', '--path.cgroup=/host/sys/fs/cgroup'],
);

const groupOfItsOwn = fix(
  'Start each VM in a cgroup of its own: a scope or service of systemd, a domain of libvirt, a jail of Firecracker.',
  ['shell', 'systemd-run --scope --slice=machine.slice --unit=vm-NAME VMM ARGUMENTS'],
  ['systemd unit', 'ExecStart=VMM ARGUMENTS'],
  ['libvirt XML', '<resource><partition>/machine</partition></resource>'],
  ['firecracker arguments', 'jailer --cgroup-version=2 --parent-cgroup=PARENT'],
);

/** Which hierarchies of cgroups the host has. */
export const cgroupHierarchy: Probe = {
  name: 'cgroup_hierarchy',
  gives: 'limits of VMs, and how long a quota kept them from running',
  collectors: ['throttling', 'contention', 'cgroup'],
  need: 'optional',
  find: async ({ host, look }) => {
    const version2 = await look.isThere(host.cgroup('cgroup.controllers'));
    if (version2) return works(`version 2 at ${host.roots.cgroup}`);
    const names = (await unlessGone(look.names(host.roots.cgroup))) ?? [];
    const version1 = names.filter((name) => name !== 'unified' && name !== 'systemd').some((name) => name.split(',').includes('cpu'));
    const unified = names.includes('unified') && (await look.isThere(host.cgroup('unified', 'cgroup.controllers')));
    if (version1)
      return works(`version 1 at ${host.roots.cgroup}${unified ? ', with version 2 beside it and without its controllers' : ''}`);
    return lacks(Outcome.notConfigured, {
      detail: `no cgroups of a controller at ${host.roots.cgroup}`,
      need: 'optional',
      fix: hostCgroups,
    });
  },
};

/** Whether cgroups of VMs have the cpu controller, without which nobody limits and nobody counts throttling. */
export const cpuController: Probe = {
  name: 'cgroup_cpu_controller',
  gives: 'how long a quota kept a VM from running',
  collectors: ['throttling', 'contention'],
  need: 'optional',
  find: async (tools) => {
    const instances = running(tools).slice(0, MANY);
    if (instances.length === 0) return uncertain('no VM that can be seen runs', tools) ?? works('no VM runs');
    const groups = await Promise.all(instances.map(async (instance) => ({ instance, group: await groupOf(tools, instance.current?.pid) })));
    const seen = groups.flatMap(({ instance, group }) => (group ? [{ instance, group }] : []));
    const lacking = seen.filter(({ group }) => !group.hasCpu);
    const unseen = seen.length < groups.length ? `; of ${some(groups.length - seen.length, 'more VM')} it is not seen` : '';
    if (seen.length === 0) return lacks(Outcome.gone, { detail: 'cgroups of no VM are seen', need: 'none', fix: hostCgroups });
    if (lacking.length === 0)
      return works(`${some(seen.length, 'VM')} of ${seen.length} ${seen.length === 1 ? 'has' : 'have'} it${unseen}`);
    return lacks(Outcome.notConfigured, {
      detail: `cgroups of ${lacking.length} of ${some(seen.length, 'VM')} are without it: they have no quota that could throttle them${unseen}`,
      need: 'none',
      affects: idsOf(lacking.map(({ instance }) => instance)),
      fix: switchOn(lacking[0].group),
    });
  },
};

/** Whether each VM has a cgroup that holds it and nobody else: limits of one that others share are not its own. */
export const ownCgroup: Probe = {
  name: 'own_cgroup',
  gives: 'limits of a VM, and what it uses of them',
  collectors: ['cgroup'],
  need: 'optional',
  find: (tools) => {
    if (!isOn(tools, 'cgroup')) return works('not looked for: the collector cgroup is off');
    const all = running(tools).length;
    if (all === 0) return uncertain('no VM that can be seen runs', tools) ?? works('no VM runs');
    const lacking = affected(tools, ['cgroup'], Outcome.notConfigured, Outcome.unsupported);
    const having = affected(tools, ['cgroup'], Outcome.ok);
    const detail = `${having.length} of ${some(all, 'VM')} ${having.length === 1 ? 'has a cgroup of its own' : 'have a cgroup of their own'}`;
    if (lacking.length > 0) return lacks(Outcome.notConfigured, { detail, need: 'optional', affects: lacking, fix: groupOfItsOwn });
    const unseen = affected(tools, ['cgroup'], Outcome.notPermitted);
    if (unseen.length === 0) return works(detail);
    return lacks(Outcome.notPermitted, {
      detail: `${detail}; cgroups of ${some(unseen.length, 'VM')} are not to be seen`,
      need: 'optional',
      affects: unseen,
      fix: hostCgroups,
    });
  },
};

interface Group {
  readonly hasCpu: boolean;
  /** Of its hierarchy. */
  readonly root: string;
  readonly path: string;
}

/** The cgroup in which the cpu controller would count a process; null where it is not seen. */
async function groupOf({ host, look }: ProbeTools, pid: number | undefined): Promise<Group | null> {
  const text = pid === undefined ? null : await unlessGone(look.text(host.proc(String(pid), 'cgroup')));
  const place = new Hierarchies(host).placeOf(parseMemberships(text ?? '') ?? [], 'cpu');
  if (typeof place === 'number') return null;
  const { version, root, path } = place;
  if (version === 1) return { hasCpu: true, root, path };
  const controllers = await unlessGone(look.text(`${root}${path}/cgroup.controllers`));
  return controllers === null ? null : { hasCpu: controllers.trim().split(' ').includes('cpu'), root, path };
}

/** A controller is handed down from the root, one cgroup at a time, cgroups(7). */
function switchOn({ root, path }: Group): Fix {
  const parents = levels(path).slice(1).reverse();
  const steps = parents.map((parent): Step => {
    const directory = PLAIN_PATH.test(parent) ? `${root}${parent === '/' ? '' : parent}` : `${root}/CGROUP`;
    return { where: 'shell', line: `echo +cpu > '${directory}/cgroup.subtree_control'` };
  });
  return {
    text: 'Hand the cpu controller down to the cgroups of the VMs; systemd does so for a slice that has CPUWeight or CPUQuota.',
    steps,
  };
}

import { dirname, isAbsolute } from 'node:path';
import { type Fix, fix, type Place, type Step } from './capability.js';
import type { ProbeTools } from './probe-tools.js';

/** Stands for the name of a VM. */
const NAME = 'NAME';
const PLAIN = 'vmgauge-*.sock';
/** Emptied at boot. */
const VOLATILE = /^\/(var\/)?run\//;

interface Socket {
  readonly path: string;
  /** What the configuration has to reserve for it, where it does not yet. */
  readonly flag: string | null;
}

/** A path for each VM, which is reserved for this agent: two VMs at one would take it from each other. */
function socketFor({ host, settings: { qmpReserved } }: ProbeTools): Socket {
  // A pattern with a slash is held against whole paths, which are absolute.
  const usable = qmpReserved.filter((pattern) => !pattern.includes('/') || isAbsolute(pattern));
  const pattern = usable.find((one) => one.includes('*')) ?? usable.find((one) => !one.includes('/')) ?? PLAIN;
  const flag = usable.includes(pattern) ? null : `--vmm.qmp-reserved=${[...qmpReserved, PLAIN].join(',')}`;
  const name = pattern.replaceAll('*', NAME);
  if (isAbsolute(pattern)) return { path: name, flag };
  return { path: pattern.includes('*') ? host.run('vmgauge', name) : host.run('vmgauge', NAME, name), flag };
}

/** A directory for it, with the mode that lets the group of QEMU find what is in it. */
function directoryFor(path: string, { host }: ProbeTools): readonly string[] {
  const directory = dirname(path);
  const isVolatile = VOLATILE.test(path) || path.startsWith(`${host.roots.run}/`);
  if (!isVolatile) return [`install -d -o QEMU_USER -g QEMU_GROUP -m 0750 ${directory}`];
  return [
    `echo 'd ${directory} 0750 QEMU_USER QEMU_GROUP -' >> /etc/tmpfiles.d/vmgauge-qmp.conf`,
    'systemd-tmpfiles --create /etc/tmpfiles.d/vmgauge-qmp.conf',
  ];
}

const DIRECTORY =
  "Its directory must be there before the VM starts and belong to QEMU's user; below /run it is gone after a boot, unless tmpfiles.d makes it again.";
const CONFINED =
  "libvirt's AppArmor or SELinux keeps QEMU out of it until a rule lets it in (AppArmor: a line in /etc/apparmor.d/abstractions/libvirt-qemu; SELinux: the type qemu_var_run_t for the directory).";

const steps = (where: Place, lines: readonly string[]): readonly Step[] => lines.map((line) => ({ where, line }));

/** How QEMU is given a monitor of this agent alone. */
export function qemuRecipe(tools: ProbeTools): Fix {
  const { path, flag } = socketFor(tools);
  const value = `unix:${path},server=on,wait=off`;
  return {
    text: `Give QEMU a second monitor, of this agent alone. ${DIRECTORY} ${CONFINED}`,
    steps: [
      ...steps('shell', directoryFor(path, tools)),
      ...steps('qemu arguments', [`-qmp ${value}`]),
      ...steps('libvirt XML', [
        "<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>",
        `  <qemu:commandline><qemu:arg value='-qmp'/><qemu:arg value='${value}'/></qemu:commandline>`,
        '</domain>',
      ]),
      ...steps('vmgauge flag', flag === null ? [] : [flag]),
    ],
  };
}

/** The same for StratoVirt, whose only monitor it may be. */
export function stratovirtRecipe(tools: ProbeTools): Fix {
  const { path, flag } = socketFor(tools);
  const { text, steps: own } = fix(`Give StratoVirt a monitor of this agent alone. ${DIRECTORY.replace('QEMU', 'StratoVirt')}`, [
    'stratovirt arguments',
    `-qmp unix:${path},server,nowait`,
  ]);
  const made = directoryFor(path, tools).map((line) => line.replaceAll('QEMU_', 'VMM_'));
  return { text, steps: [...steps('shell', made), ...own, ...steps('vmgauge flag', flag === null ? [] : [flag])] };
}

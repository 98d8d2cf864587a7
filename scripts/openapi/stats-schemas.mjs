// The stats document as schemas, from the metrics that collectors declare: places, descriptions, units.
import { HYPERVISORS, NIC_KINDS, RUNTIMES, STATES } from '../../dist/model/instance.js';
import { OUTCOMES, outcomeWords } from '../../dist/model/outcome.js';
import { maybe, number, object, own, ref, text, time } from './schema-words.mjs';
import { partSchema, parts, vmmGroups, vmmSchemas } from './vmm-schemas.mjs';

const NULLS =
  'A number that could not be read is null, never 0, and `collectors` says why: a typed client that turns null into 0 has to look there.';

const HYPERVISOR = text('Kind of the VMM; `kvm` is any other process with a KVM guest.', { enum: [...HYPERVISORS] });
const STATE = text('What the VM does; `stopped` ones answer their last sample while they are remembered.', { enum: [...STATES] });

/** Members by their dotted places; the second place of a metric is a member too. */
function groups(metrics) {
  const root = {};
  for (const metric of metrics) {
    for (const place of [metric.json, metric.alias].filter(Boolean)) {
      const path = place.split('.');
      const last = path.pop();
      let at = root;
      for (const word of path) at = at[word] ??= {};
      at[last] = number(metric);
    }
  }
  return root;
}

const isMember = (node) => typeof node.description === 'string';

/** @param place dotted, from the top of the document @param more members before the numbers @param last members after them */
const asObject = (tree, place, more = {}, last = {}) => {
  const description = GROUPS[place] ?? GROUPS[place.split('.').at(-1)];
  if (description === undefined) throw new Error(`the group ${place} is not described`);
  const members = Object.entries(tree).map(([word, node]) => [word, isMember(node) ? node : asObject(node, `${place}.${word}`)]);
  const whole = object(description, { ...more, ...Object.fromEntries(members), ...last });
  return OPTIONAL_GROUPS.has(place) ? orNull(whole) : whole;
};

const orNull = (schema) => ({ ...schema, type: ['object', 'null'] });

/** By place, or by the last word of any place. */
const GROUPS = {
  cpu: 'CPU time of the VMM and of what works for it.',
  memory: 'Memory of the VMM process, most of which is the guest’s.',
  process: 'The VMM as a process of the host.',
  'network.conntrack':
    'Connections tracked in the network namespace that the VM has for itself, those of everything else in it included; null where it has none, or the kernel does not tell.',
  io: 'What the VMM read and wrote.',
  context_switches: 'How often threads gave up the CPU or lost it.',
  limits:
    'What the cgroups of the VM allow it and what it used of that; null where it has no cgroup of its own, or nothing of it can be read.',
  'limits.cpu': 'CPU time, and the quota of it; null where the controller is off.',
  'limits.memory': 'Memory with page cache, and the limit of it; null where the controller is off.',
  'limits.memory.events': 'How often the memory of the VM met a bound; null where the kernel does not tell.',
  'limits.pids': 'Processes and threads; null where the controller is off.',
  'limits.io': 'Block devices of the host; null where the controller is off.',
  pressure:
    'How long the VM waited for what was short, as the kernel adds it up; null where it has no cgroup of version 2 of its own, or the kernel does not tell.',
  'pressure.cpu': 'Waiting for CPUs.',
  'pressure.memory': 'Waiting for memory.',
  'pressure.io': 'Waiting for block devices.',
  'pressure.irq': 'Interrupts; null where the kernel does not tell.',
  some: 'At least one task waited.',
  full: 'All tasks that were not idle waited.',
  vmm: 'What the VMM says when this agent asks it, and what the asking costs it; null where it was never asked.',
  'vmm.dropped': 'What the VMM told and this document does not show.',
  'memory.vmm': 'What the VMM says it gave the guest; null where it does not tell.',
  'memory.guest': 'The guest’s memory as its own balloon driver last reported it; null where it reports nothing.',
  'memory.balloon': 'What the guest gave back; null where the VMM has no balloon or does not tell.',
  'memory.kvm': 'Guest memory that KVM has mapped; null where neither the VMM nor debugfs tells.',
  'memory.breakdown': 'The memory of the VM by what it is; null where the parts are not known.',
  exits: 'How often the guest was left for the host; null where neither the VMM nor KVM tells.',
  'exits.kvm': 'What KVM counts of the VM, all vCPUs together; null where neither the VMM nor debugfs tells.',
  migration: 'The last migration of the VM; null where the VMM does not tell.',
  events:
    'What happened to the VM by its VMM’s word, what was counted of its processes in the kernel, and its guest’s DNS; null where nothing of that is known.',
  degraded: 'Whether the VM works, and the evidence; null where nothing tells.',
  shim: 'A Kata sandbox: its shim, what runs beside the VMM, and what the host spends on it apart from the guest.',
  'shim.cpu': 'CPU time of the shim.',
  'shim.memory': 'Memory of the shim.',
  'shim.io': 'What the shim read and wrote.',
  'shim.status': 'The shim by its status file.',
  'shim.hypervisor': 'The VMM as Kata sees it; nothing but null where it is in the shim.',
  'shim.hypervisor.cpu': 'CPU time of the VMM, the guest’s included.',
  'shim.hypervisor.status': 'The VMM by its status file.',
  'shim.virtiofsd': 'The process that shares files with the guest, where there is one.',
  'shim.virtiofsd.cpu': 'CPU time of virtiofsd.',
  'shim.virtiofsd.io': 'What virtiofsd read and wrote.',
  'shim.virtiofsd.status': 'virtiofsd by its status file.',
  'shim.overhead': 'What the host spends on the sandbox beside the guest.',
  'shim.rpc': 'Whether the shim tells how long its calls take; the durations themselves are on /metrics.',
  'shim.socket': 'What the shim said when its socket was last asked.',
};

/** Groups that are null where nothing of them is known. As in stats.view.ts, limits.view.ts and vmm.view.ts. */
const OPTIONAL_GROUPS = new Set([
  ...['vmm', 'vmm.dropped', 'exits', 'exits.kvm', 'migration', 'events', 'degraded'],
  ...['limits', 'limits.cpu', 'limits.memory', 'limits.memory.events', 'limits.pids', 'limits.io'],
  ...['pressure', 'pressure.cpu', 'pressure.cpu.full', 'pressure.memory', 'pressure.io', 'pressure.irq', 'pressure.irq.some'],
  ...['memory.vmm', 'memory.guest', 'memory.balloon', 'memory.kvm', 'memory.breakdown', 'network.conntrack'],
]);

/** The member `shim`: words that stats/shim.view.ts writes, numbers by their declarations. */
function shimSchema(tables, outcome, reason) {
  const { shim } = groups(own(tables.sandboxes.columns));
  const words = {
    pid: maybe('integer', 'The shim; null where nobody tells.'),
    runtime: maybe('string', 'Which of Kata’s runtimes it is.', { enum: [...RUNTIMES, null] }),
    vmm_in_shim: maybe('boolean', 'Whether the VM runs in threads of the shim; null once Kata’s files are gone.'),
    pod: ref('Pod'),
    agent_url: maybe('string', 'Where the agent in the guest listens, by files and command lines.'),
  };
  const counters = Object.fromEntries(own(tables.sandboxInterfaces.columns).map((metric) => [metric.json, number(metric)]));
  const one = { name: text('Name in the network namespace of the sandbox.'), outcome, reason, ...counters };
  const interfaces = maybe(
    'array',
    'Interfaces of the network namespace of the sandbox, as the host counts them, sorted by name; null where they cannot be told.',
    { items: ref('SandboxInterface') },
  );
  const { required, ...rest } = asObject(shim, 'shim', words);
  return {
    Shim: { ...rest, required: [...required, 'interfaces'], properties: { ...rest.properties, interfaces } },
    SandboxInterface: {
      ...object('One interface of the sandbox’s network namespace: what a tap received is what the guest sent.', one),
      required: Object.keys(one).filter((word) => word !== 'reason'),
    },
  };
}

/** The member `limits`, from the tree of numbers. */
function limitsSchema({ io, ...rest }) {
  const { utilization_device: device, ...numbers } = io;
  const ofIo = asObject(
    numbers,
    'limits.io',
    {},
    {
      utilization_device: maybe('string', device.description),
      devices: parts('CgroupDevice', 'Block devices that the VM used or is limited at, by name.'),
    },
  );
  return asObject(rest, 'limits', {}, { io: ofIo });
}

/** @returns schemas by name @param tables those of the application @param collectors THE LIST */
export function statsSchemas(tables, collectors) {
  const metrics = own(tables.instances.columns);
  const tree = groups(metrics);
  const top = Object.fromEntries(Object.entries(tree).filter(([, node]) => isMember(node)));
  const { network, limits, vmm, exits, degraded, ...plain } = Object.fromEntries(
    Object.entries(tree).filter(([, node]) => !isMember(node)),
  );
  const last = {
    cpu: { vcpus: parts('Vcpu', 'vCPUs by number.') },
    events: { processes: parts('TracedProcess', 'Latencies and bytes of the processes of the VM, by name.') },
  };
  const nested = {
    ...Object.fromEntries(Object.entries(plain).map(([word, node]) => [word, asObject(node, word, {}, last[word])])),
    ...vmmGroups({ vmm, exits, degraded }, asObject),
  };
  const words = OUTCOMES.map(outcomeWords);
  const reasons = words.flatMap(({ reason }) => (reason ? [reason] : []));
  const outcome = text('How the reading went: `absent` is a property of the VM or of our rights, `failed` is an error.', {
    enum: [...new Set(words.map((word) => word.outcome))],
  });
  const reason = text('Why, unless it is ok.', { enum: reasons });
  return {
    Hypervisor: HYPERVISOR,
    InstanceState: STATE,
    InstanceStats: object(`Statistics of one VM seen from its host. ${NULLS}`, {
      instance_id: text('Id of the instance.'),
      instance_name: text('Its name; the id where it has none.'),
      ...top,
      hypervisor: ref('Hypervisor'),
      state: ref('InstanceState'),
      source: text('The source that named it.'),
      generation: {
        type: 'integer',
        description: 'VMM processes this instance has had since the agent knows it; counters start anew with each.',
      },
      collected_at: time('Start of the sweep that read these numbers.'),
      started_at: time('Start of the VMM process.'),
      cpu: nested.cpu,
      memory: nested.memory,
      disks: parts('Disk', 'Disks as the VMM counts them, by name.'),
      network: object('Interfaces through which its frames pass on this host, and its devices by the VMM’s count.', {
        interfaces: { type: 'array', items: ref('InterfaceStats'), description: 'One entry a NIC, counted or not.' },
        devices: parts('NetworkDevice', 'Network devices as the VMM counts them, by name.'),
        switch_ports: parts('SwitchPort', 'Ports of the VM at virtual switches, by name.'),
        conntrack: asObject(network.conntrack, 'network.conntrack'),
      }),
      process: nested.process,
      limits: limitsSchema(limits),
      pressure: nested.pressure,
      vmm: nested.vmm,
      exits: nested.exits,
      migration: nested.migration,
      events: nested.events,
      degraded: nested.degraded,
      shim: { description: 'Null for an instance that is no Kata sandbox.', oneOf: [ref('Shim'), { type: 'null' }] },
      rates: {
        description: 'Growth per second; null before the second reading and of a stopped instance.',
        oneOf: [ref('Rates'), { type: 'null' }],
      },
      collectors: {
        type: 'object',
        description: `How each collector that concerns the instance did, by name: ${collectors.map(({ about }) => about.name).join(', ')}.`,
        additionalProperties: ref('CollectorReport'),
      },
    }),
    CollectorReport: {
      ...object('How one collector did for one instance, or for the host.', {
        outcome,
        seconds: maybe('number', 'Time its last turn took.'),
        age_seconds: maybe('number', 'Age of what it read, at the time of the sweep; 0 for what every sweep reads.'),
      }),
      properties: {
        outcome,
        reason,
        seconds: maybe('number', 'Time its last turn took.'),
        age_seconds: maybe('number', 'Age of what it read, at the time of the sweep; 0 for what every sweep reads.'),
      },
    },
    ...shimSchema(tables, outcome, reason),
    ...vmmSchemas(tables),
    SwitchPort: partSchema('One port of the VM as its virtual switch knows it, counted from the guest’s side.', tables.switchPorts, {
      port: text('Name of the interface at the switch.'),
      bridge: maybe('string', 'The switch it is at.'),
      interface: maybe('string', 'Interface of the host that is the port, where the VM holds it.'),
      ofport: maybe('integer', 'Its OpenFlow number; null while the switch has given none.'),
      vlan: maybe('integer', 'VLAN of an access port.'),
      iface_id: maybe(
        'string',
        'What whoever plugged it in calls it: `iface-id` of libvirt, OpenStack and OVN, namespace and name of the pod of Antrea.',
      ),
    }),
    CgroupDevice: partSchema('One block device of the host, by the cgroup of the VM.', tables.cgroupDevices, {
      device: text('The kernel’s name of it; its number where that is not known.'),
      number: maybe('string', 'Its number, `major:minor`.'),
    }),
    TracedProcess: partSchema('What was counted of the processes of the VM that have one name.', tables.tracedProcesses, {
      process_name: maybe('string', 'Their name; `other` for those beyond the limit, null where none is named.'),
    }),
    InterfaceStats: interfaceSchema(own(tables.interfaces.columns), outcome, reason),
    Rates: object(
      'Growth per second of counters that were known at both ends; of one that not every sweep reads, between its last two readings.',
      {
        window_seconds: { type: 'number', description: 'Time that really passed between the two readings.' },
        ...Object.fromEntries(
          metrics.flatMap(({ rate, description }) => (rate ? [[rate, maybe('number', `Per second: ${description}`)]] : [])),
        ),
        cpu_utilization_ratio: maybe('number', 'CPUs in use over vCPUs given; null where either is not known.'),
      },
    ),
  };
}

function interfaceSchema(metrics, outcome, reason) {
  const counters = Object.fromEntries(metrics.filter(({ json }) => json !== 'outcome').map((metric) => [metric.json, number(metric)]));
  const all = {
    name: maybe('string', 'Host interface; null where the kind has none or it is gone.'),
    kind: maybe('string', 'What connects the NIC. Only tap, macvtap and veth are counted; the others never pass the host.', {
      enum: [...NIC_KINDS, null],
    }),
    mac: maybe('string', 'MAC address in the guest.'),
    outcome,
    reason,
    ...counters,
    host_mac: maybe('string', 'MAC address of the interface on the host; null outside the host’s network namespace.'),
    bridge: maybe('string', 'Linux bridge that it is a port of; null for none, and outside the host’s network namespace.'),
  };
  return {
    ...object('One NIC, counted from the guest’s side.', all),
    required: Object.keys(all).filter((word) => word !== 'reason'),
  };
}

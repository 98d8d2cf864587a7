// Schemas of everything but statistics: the shapes that stats/instance.view.ts and health/ build by hand. Tests hold them against answers.

import { COMPANION_ROLES, ID_PATTERN, NIC_KINDS, RUNTIMES } from '../../dist/model/instance.js';
import { GROUP_KINDS } from '../../dist/modules/cgroup/group-names.js';
import { HOST_COLLECTORS } from '../../dist/modules/collection/host-collectors.js';
import { capabilitySchemas } from './capabilities.mjs';
import { problemSchema } from './problems.mjs';
import { registrationSchemas } from './registration.mjs';
import { object } from './schema-words.mjs';
import { statsSchemas } from './stats-schemas.mjs';

const ref = (name) => ({ $ref: `#/components/schemas/${name}` });
const text = (description, rest = {}) => ({ type: 'string', description, ...rest });
const integer = (description) => ({ type: 'integer', format: 'int64', description });
const maybe = (type, description, rest = {}) => ({ type: [type, 'null'], description, ...rest });
const list = (items, description) => ({ type: 'array', items, description });

const SUMMARY = {
  id: text('Unique on this host.', { pattern: ID_PATTERN.source }),
  name: text('What people call it; the id where it has no name.'),
  source: text('The source that named it.'),
  hypervisor: ref('Hypervisor'),
  state: ref('InstanceState'),
  pid: maybe('integer', 'The VMM process; null while there is none.'),
  started_at: maybe('string', 'Start of the VMM process.', { format: 'date-time' }),
  allocated: object('What the VM was given, as far as its source or command line tells.', {
    vcpus: maybe('integer', 'vCPUs.'),
    memory_bytes: maybe('integer', 'Memory, hot-plugged memory included.', { format: 'int64' }),
  }),
};

const PROCESS = object('A process that works for the VM.', {
  role: text('Its part. A shim that contains its VMM stands in both.', { enum: ['vmm', ...COMPANION_ROLES] }),
  pid: integer('Process id.'),
  start_ticks: integer('Field 22 of /proc/<pid>/stat: with the pid it names the process for as long as the host is up.'),
  uid: maybe('integer', 'User it runs as.'),
  executable: maybe('string', 'Its program.'),
  vhost_threads: list({ type: 'integer' }, 'Kernel threads that move frames for it (Linux before 6.4).'),
});

const INTERFACE = object('One NIC.', {
  kind: text('What connects it to the host.', { enum: [...NIC_KINDS] }),
  name: maybe('string', 'Host interface; null where the kind has none.'),
  mac: maybe('string', 'MAC address in the guest.'),
  device: maybe('string', 'The VMM’s own id of the device.'),
});

const POD = object('The pod of a Kata sandbox, by the annotations of its bundle.', {
  uid: maybe('string', 'Its uid.'),
  name: maybe('string', 'Its name.'),
  namespace: maybe('string', 'Its namespace.'),
});

const SANDBOX = object('What a Kata sandbox is besides a VM, as Kata’s and containerd’s files name it.', {
  runtime: maybe('string', 'Which of Kata’s runtimes it is.', { enum: [...RUNTIMES, null] }),
  vmm_in_shim: { type: 'boolean', description: 'Whether the VM runs in threads of the shim.' },
  directory: maybe('string', 'Its directory below one of Kata’s roots.'),
  pod: ref('Pod'),
  agent_url: maybe('string', 'Where the agent in the guest listens.'),
  network_namespace: maybe('string', 'Its network namespace.'),
  cgroups: object('Its cgroups by Kata’s own word, relative to the hierarchy.', {
    sandbox: maybe('string', 'Where the vCPUs are, or everything.'),
    overhead: maybe('string', 'Where the rest is, unless everything is in one.'),
    sandbox_only: maybe('boolean', 'Whether everything is in one.'),
  }),
});

const OWN_CGROUP = object('The cgroup that holds the instance, whole, and nobody else.', {
  kind: text('Who made it.', { enum: [...GROUP_KINDS] }),
  path: text('From the root of its hierarchy; of several of version 1, in that of the memory controller first.'),
  version: { type: 'integer', enum: [1, 2], description: 'Of cgroups.' },
  overhead_path: maybe('string', 'Of a Kata sandbox: where its processes are that are not in this one.'),
});

const CURSOR = 'For the next page; null on the last.';

export function schemas(tables, collectors) {
  return {
    InstanceList: object('One page of the instances of this host.', {
      instances: list(ref('InstanceSummary'), 'Sorted by id.'),
      next_cursor: maybe('string', CURSOR),
    }),
    InstanceSummary: object('One instance in a list.', SUMMARY),
    Instance: object('What identifies one instance.', {
      ...SUMMARY,
      uuid: maybe('string', 'UUID of the VM.'),
      sources: list({ type: 'string' }, 'All sources that know it; the first one named it.'),
      generation: { type: 'integer', description: 'VMM processes it has had since the agent knows it.' },
      ended_at: maybe('string', 'When its process was found gone.', { format: 'date-time' }),
      processes: list(ref('InstanceProcess'), 'Empty when it does not run.'),
      interfaces: { type: ['array', 'null'], items: ref('InstanceInterface'), description: 'Null where nobody knows its NICs.' },
      sockets: list({ type: 'string' }, 'Control sockets as the process names them.'),
      cgroups: list({ type: 'string' }, 'Its cgroups, one path a hierarchy.'),
      cgroup: {
        description: 'Null where it has none of its own: whatever limits it, limits others with it.',
        oneOf: [ref('OwnCgroup'), { type: 'null' }],
      },
      sandbox: { description: 'Null for an instance that is no Kata sandbox.', oneOf: [ref('Sandbox'), { type: 'null' }] },
    }),
    InstanceProcess: PROCESS,
    Sandbox: SANDBOX,
    OwnCgroup: OWN_CGROUP,
    Pod: POD,
    InstanceInterface: INTERFACE,
    ...statsSchemas(tables, collectors),
    AllStats: object('Statistics of all running instances.', {
      collected_at: maybe('string', 'Start of the sweep.', { format: 'date-time' }),
      skew_ms: { type: 'number', description: 'Time between the reading of the first and of the last instance.' },
      sequence: { type: 'integer', description: 'Number of the sweep since the agent started.' },
      host: object('The host itself; its numbers are on the Prometheus page.', {
        collectors: {
          type: 'object',
          description: `How each collector of the host did, by name: ${HOST_COLLECTORS.map(({ about }) => about.name).join(', ')}.`,
          additionalProperties: ref('CollectorReport'),
        },
      }),
      instances: list(ref('InstanceStats'), 'Sorted by id.'),
    }),
    ...registrationSchemas(),
    ...capabilitySchemas(),
    Health: object('The answer of a probe.', { status: text('Always ok: anything else is an error.', { const: 'ok' }) }),
    OpenapiDocument: object('An OpenAPI document; these members and more.', {
      openapi: text('Version of OpenAPI.'),
      info: { type: 'object', description: 'Name and version of this API.' },
      paths: { type: 'object', description: 'Its routes.' },
    }),
    Problem: problemSchema,
  };
}

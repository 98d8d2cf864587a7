// What the VMM tells as schemas: members that stats/vmm.view.ts writes. Which numbers there are the declarations say.
import { maybe, number, object, own, ref, text } from './schema-words.mjs';

/** One row of a table of parts. @param words members before the numbers */
export const partSchema = (description, table, words) => {
  const numbers = Object.fromEntries(own(table.columns).map((metric) => [metric.json, number(metric)]));
  return object(description, { ...words, ...numbers });
};
export const parts = (name, description) =>
  maybe('array', `${description} Null where nobody tells whether there are any.`, { items: ref(name) });
const byName = (description) => maybe('object', description, { additionalProperties: { type: ['integer', 'null'], format: 'int64' } });

/** @returns schemas by name */
export function vmmSchemas(tables) {
  const device = text('The VMM’s own name of the device.');
  return {
    Vcpu: partSchema('One vCPU.', tables.vcpus, { index: { type: 'integer', description: 'Its number, from 0.' } }),
    Disk: partSchema('One disk as the VMM counts it.', tables.disks, {
      device,
      file: maybe('string', 'What the disk is made of, by the VMM’s word: a path in its own view of files.'),
      format: maybe('string', 'Format of the image.'),
      read_only: maybe('boolean', 'Whether the guest may not write to it.'),
    }),
    NetworkDevice: partSchema(
      'One network device as the VMM counts it: another quantity than the counters of an interface, and never a part of them.',
      tables.vnics,
      { device },
    ),
  };
}

/** Groups with members beside their numbers, from the tree of numbers. @param asObject of stats-schemas.mjs */
export function vmmGroups({ vmm, exits, degraded = {} }, asObject) {
  const { kvm, ...ofVmm } = exits;
  const byKvm = asObject(
    kvm,
    'exits.kvm',
    {},
    {
      reasons: byName('Exits by the kernel’s name of the reason; which names there are depends on the kernel.'),
      events: byName('What KVM counts beside exits, by the kernel’s name.'),
    },
  );
  return {
    vmm: asObject(vmm, 'vmm', {
      dialogue: maybe('string', 'How it is asked; null where it has not answered lately.'),
      version: maybe('string', 'What it calls itself; null where it does not tell or has not answered lately.'),
    }),
    exits: asObject(ofVmm, 'exits', {}, { kvm: byKvm }),
    degraded: asObject(
      degraded,
      'degraded',
      {},
      {
        reasons: { type: 'array', items: { type: 'string' }, description: 'Every reason there is to say that the VM does not work.' },
      },
    ),
  };
}

// JSON Schema of a registration, from the validators that judge one.
import { getMetadataStorage } from 'class-validator';
import { InterfaceFields } from '../../dist/modules/instances/instance-fields.js';
import { RegistrationBody } from '../../dist/modules/instances/registration.js';

const REGISTRATION = {
  name: 'What people call it. The id where it is missing.',
  uuid: 'UUID of the VM.',
  hypervisor: 'Kind of the VMM.',
  pid: 'The VMM process. Only together with `start_ticks`: a pid alone may be another process by the time it is read.',
  start_ticks: 'Field 22 of /proc/<pid>/stat, clock ticks after boot: proof that the process is the one that is meant.',
  boot_id: '/proc/sys/kernel/random/boot_id of the boot that `start_ticks` belongs to; the present one where it is missing.',
  vcpus: 'vCPUs given to the VM.',
  memory_bytes: 'Memory given to the VM.',
  interfaces: 'All NICs of the VM; an empty list says that there are none, a missing one that it is not known.',
  sockets: 'Control sockets as the process names them. They are shown, never opened.',
};
const INTERFACE = {
  name: 'Name of the host interface.',
  kind: '`tap` where it is missing. Only tap and macvtap are counted.',
  mac: 'MAC address in the guest.',
};

/** Letters of either case where the validator does not look at case: a JSON Schema pattern has no flags. */
const patternOf = ({ source, flags }) => (flags.includes('i') ? source.replaceAll('a-f', 'a-fA-F') : source);

const RULES = {
  isInt: () => ({ type: 'integer' }),
  min: (least) => ({ minimum: least }),
  max: (most) => ({ maximum: most }),
  maxLength: (most) => ({ maxLength: most }),
  matches: (pattern) => ({ type: 'string', pattern: patternOf(pattern) }),
  isIn: (words) => ({ type: 'string', enum: [...words] }),
  isArray: () => ({ type: 'array' }),
  arrayMaxSize: (most) => ({ maxItems: most }),
  interfaces: () => ({ type: 'array', maxItems: 256, items: { $ref: '#/components/schemas/RegistrationInterface' } }),
};
const SILENT = ['whitelistValidation', 'conditionalValidation'];

function propertiesOf(type, descriptions) {
  const properties = {};
  const metadata = getMetadataStorage().getTargetValidationMetadatas(type, '', true, false);
  for (const { propertyName, name, type: kind, constraints, constraintCls, each } of metadata) {
    if (SILENT.includes(kind)) continue;
    const word = name ?? customName(constraintCls) ?? kind;
    const rule = RULES[word];
    if (!rule) throw new Error(`${type.name}.${propertyName}: no rule for the validator ${word}`);
    properties[propertyName] ??= { description: descriptions[propertyName] };
    if (each) properties[propertyName].items ??= {};
    const into = each ? properties[propertyName].items : properties[propertyName];
    Object.assign(into, rule(...(constraints ?? [])));
  }
  const order = Object.keys(descriptions);
  const stray = [...order.filter((name) => !properties[name]), ...Object.keys(properties).filter((name) => !order.includes(name))];
  if (stray.length > 0) throw new Error(`${type.name}: ${stray.join(', ')} stand on one side only`);
  return Object.fromEntries(order.map((name) => [name, properties[name]]));
}

const customName = (constraintCls) =>
  getMetadataStorage()
    .getTargetValidatorConstraints(constraintCls)
    .map(({ name }) => name)[0];

export const registrationSchemas = () => ({
  Registration: {
    type: 'object',
    description: 'What a control plane says of an instance it launched. Everything may be missing; nothing may be null.',
    additionalProperties: false,
    dependentRequired: { pid: ['start_ticks'], start_ticks: ['pid'], boot_id: ['pid'] },
    properties: propertiesOf(RegistrationBody, REGISTRATION),
  },
  RegistrationInterface: {
    type: 'object',
    description: 'One NIC of a registration.',
    additionalProperties: false,
    required: ['name'],
    properties: propertiesOf(InterfaceFields, INTERFACE),
  },
});

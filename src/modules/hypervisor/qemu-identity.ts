import { ID_PATTERN } from '../../model/instance.js';
import { known } from '../../model/known.js';
import { type CommandLine, lastValueOf, valuesOf } from './argv.js';
import type { Description, ProcessEvidence } from './driver.js';
import { identify } from './id-rules.js';
import { mergedProperties } from './qemu-shape.js';

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
/** "No UUID": many VMs of one host may have it. */
const NIL_UUID = /^[0-]+$/;

/** Id from -uuid, else from what a control plane left, else from -name; name from -name, else from what a control plane left. */
export function identityOf(
  line: CommandLine,
  sockets: readonly string[],
  { cgroups }: ProcessEvidence,
): Pick<Description, 'id' | 'name' | 'uuid'> {
  const name = mergedProperties(line, 'name', 'guest').get('guest') || undefined;
  const uuid = uuidOf(line);
  const found = identify(known({ paths: [...sockets, ...valuesOf(line, 'pidfile')], cgroups, name }));
  const nameAsId = name !== undefined && ID_PATTERN.test(name) ? name : undefined;
  return { id: uuid ?? found.id ?? nameAsId, name: name ?? found.name, uuid };
}

function uuidOf(line: CommandLine): string | undefined {
  const uuid = lastValueOf(line, 'uuid');
  return uuid !== undefined && UUID.test(uuid) && !NIL_UUID.test(uuid) ? uuid : undefined;
}

import type { Hypervisor } from '../../../model/instance.js';
import { Outcome } from '../../../model/outcome.js';
import type { Dialogue } from '../dialogue.js';
import { QmpConversation } from './conversation.js';
import type { Dialect } from './dialect.js';
import { Doors } from './door.js';

/** A dialogue over QMP in the dialect of one VMM. */
export function qmpDialogue(hypervisor: Hypervisor, dialect: Dialect): Dialogue {
  const doors = new Doors();
  return {
    hypervisor,
    name: 'qmp',
    standing: ({ record }, { settings }) => {
      const found = doors.of(record, settings);
      return typeof found === 'number' ? found : Outcome.ok;
    },
    begin: (subject, process, tools) => new QmpConversation(subject, process, tools, dialect),
  };
}

import { ID_PATTERN } from '../model/instance.js';
import { type Answers, instancePath, missing, objectIn } from './answers.js';
import { CommandError, KataError } from './command-error.js';

/** Without a window rates are over this long, where there is no agent that read before. */
const PAUSE_MS = 1000;

const KATA_PATTERN = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;
const REFUSED = `invalid container/sandbox ID (should match "${KATA_PATTERN.source}")`;

/** kata-runtime's rules for what is given as an id, and its words. @throws KataError */
export function checkKataId(id: string): void {
  checkNotBlank(id);
  if (!KATA_PATTERN.test(id)) throw new KataError(REFUSED);
}

/** One character may be a name, or the beginning of an id. Longer ones than ours are ids of nothing. @throws KataError */
export function checkKey(key: string): void {
  checkNotBlank(key);
  if (!KATA_PATTERN.test(key) && !ID_PATTERN.test(key)) throw new KataError(REFUSED);
}

function checkNotBlank(id: string): void {
  if (id.trim() === '') throw new KataError('ID cannot be blank');
}

/** The stats document as the route sends it, one line. @param window as the route takes it: `30s` */
export async function statsJson(answers: Answers, key: string, window: string | undefined): Promise<string> {
  await answers.prepare(key, window === undefined ? PAUSE_MS : Number.parseInt(window, 10) * 1000);
  const answer = await answers.get(`${instancePath(key)}/stats${window === undefined ? '' : `?window=${window}`}`);
  if ('problem' in answer) {
    const { problem } = answer;
    if (problem.code === 'ambiguous') throw new CommandError(problem.detail);
    throw missing(key, problem) ?? answers.refused(problem);
  }
  const document = objectIn(answer.body) ?? {};
  if (typeof Reflect.get(document, 'instance_id') !== 'string' || !('collectors' in document)) return answers.strange();
  return answer.body.toString('utf8').trim();
}

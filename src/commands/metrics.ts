import { type Answers, instancePath, missing, objectIn } from './answers.js';
import { doesNotExist } from './command-error.js';

/** A sandbox's overhead needs two readings, this far apart. */
const PAUSE_MS = 1000;

/** The Prometheus text of one running instance. @param id full: what the route would resolve to another instance does not exist */
export async function metricsText(answers: Answers, id: string): Promise<string> {
  const path = instancePath(id);
  const known = await answers.get(path);
  // Several begin with it: none of them is meant.
  if ('problem' in known)
    throw known.problem.code === 'ambiguous' ? doesNotExist(id) : (missing(id, known.problem) ?? answers.refused(known.problem));
  const record = objectIn(known.body) ?? {};
  const found: unknown = Reflect.get(record, 'id');
  if (typeof found !== 'string' || !('generation' in record)) return answers.strange();
  if (found !== id) throw doesNotExist(id);
  const sandbox: unknown = Reflect.get(record, 'sandbox');
  await answers.prepare(id, sandbox === null || sandbox === undefined ? 0 : PAUSE_MS);
  const answer = await answers.get(`${path}/metrics`);
  if ('problem' in answer) throw missing(id, answer.problem) ?? answers.refused(answer.problem);
  return answer.body.toString('utf8');
}

/** The first line in which two texts differ, for a person. */
export function firstDifference(committed, generated) {
  const [is, should] = [committed.split('\n'), generated.split('\n')];
  const at = should.findIndex((line, i) => line !== is[i]);
  const line = at < 0 ? should.length : at;
  return `line ${line + 1} is     ${is[line] ?? '(missing)'}\nline ${line + 1} should ${should[line] ?? '(missing)'}`;
}

/** C1 controls and marks that turn the direction of writing: a terminal would obey a stranger's name. Line ends are ours. */
const OBEYED = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** Text that a terminal can be shown. */
export const shown = (text: string): string => text.replace(OBEYED, '?');

/** JSON for people, which is still the same JSON. @param json one line */
export const indented = (json: string): string =>
  JSON.stringify(JSON.parse(json), null, 2).replace(OBEYED, (mark) => `\\u${mark.charCodeAt(0).toString(16).padStart(4, '0')}`);

/**
 * Writes all of it. Whoever closes the pipe has seen enough, `vmgauge list | head`: no error.
 * @throws the system's other errors, such as ENOSPC
 */
export function print(stream: NodeJS.WriteStream, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (error?: Error | null): void => {
      if (!error || ('code' in error && error.code === 'EPIPE')) resolve();
      else reject(error);
    };
    // Told twice, here and to `write`; without a listener the process would die of it.
    stream.on('error', end);
    stream.write(text, end);
  });
}

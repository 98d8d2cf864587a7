import { OBEYED } from '../model/terminal.js';

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

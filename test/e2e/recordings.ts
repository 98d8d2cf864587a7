import { fileURLToPath } from 'node:url';

/** Folder of a recorded host below fixtures/hosts. */
export const recording = (host: string): string => fileURLToPath(new URL(`../../fixtures/hosts/${host}`, import.meta.url));

import type { Kind } from './kind.js';

/** What the decorator says of one setting; the default is the value that the property is given in the class. */
export interface SettingSpec<T> {
  /** Dotted name, the same in flag and YAML: `web.listen-address`. */
  readonly key: string;
  readonly kind: Kind<T>;
  /** What it does and why one would change it, or what it costs; ends in a full stop. */
  readonly help: string;
  /** True when SIGHUP takes a new value over while the agent runs. */
  readonly reload?: boolean;
}

/** A decorated property, as the loader and the documents read it. */
export interface DeclaredSetting {
  readonly property: string;
  readonly key: string;
  readonly kind: Kind<unknown>;
  readonly help: string;
  readonly reload: boolean;
}

const DECLARED = new WeakMap<object, DeclaredSetting[]>();

/** Declares a property as a setting. The property's type must be the kind's: `duration` on a string does not compile. */
export function Setting<T>(spec: SettingSpec<T>) {
  return <P extends string>(prototype: Readonly<Record<P, T>>, property: P): void => {
    const declared = DECLARED.get(prototype) ?? [];
    DECLARED.set(prototype, declared);
    declared.push({ reload: false, ...spec, property });
  };
}

/** The settings of a class in the order written. */
export const settingsOf = (prototype: object): readonly DeclaredSetting[] => DECLARED.get(prototype) ?? [];

/** `web.listen-address` is `VMGAUGE_WEB_LISTEN_ADDRESS`. */
export const ENVIRONMENT_PREFIX = 'VMGAUGE_';
export const environmentName = (key: string): string => ENVIRONMENT_PREFIX + key.toUpperCase().replace(/[.-]/g, '_');

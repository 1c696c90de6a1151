type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false

/** Compiles when the value is of the wanted type, and of no wider, narrower or looser one. */
export declare function exactly<Wanted> (): <Got>(got: Got, ...proof: Same<Wanted, Got> extends true ? [] : [never]) => void

/** The small mapping as a module that `tandem --mapping` can load. */
export { SMALL_MAPPING as default } from './small-mapping.ts';

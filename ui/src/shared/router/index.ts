export { Link, Routes, matchPath, navigate, parsePlace, useParam, usePlace, useQueryValue } from './router';
export type { Place, Route } from './router';

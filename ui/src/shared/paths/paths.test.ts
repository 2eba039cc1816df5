import { describe, expect, it } from 'vitest';
import { ancestorsOf, isBelow, isWithin, localFolderProblem, nameOf, parentOf, serverPathProblem, tidyPath } from './paths';

describe('paths', () => {
  it('goes up on a server and in a backup', () => {
    expect(parentOf('/srv/www')).toBe('/srv');
    expect(parentOf('/srv')).toBe('/');
    expect(parentOf('/')).toBeNull();
    expect(parentOf('srv')).toBe('');
    expect(parentOf('')).toBeNull();
    expect(ancestorsOf('/srv/www/shop')).toEqual(['/', '/srv', '/srv/www']);
  });

  it('names the last part', () => {
    expect(nameOf('/srv/www')).toBe('www');
    expect(nameOf('/')).toBe('/');
    expect(nameOf('srv')).toBe('srv');
  });

  it('does not take a longer name for a folder above', () => {
    expect(isWithin('/srv/www2', '/srv/www')).toBe(false);
    expect(isWithin('/srv/www/a', '/srv/www')).toBe(true);
    expect(isWithin('/etc', '/')).toBe(true);
    expect(isBelow('/srv/www', '/srv/www')).toBe(false);
  });

  it('tidies what was typed', () => {
    expect(tidyPath(' //srv/./www/ ')).toBe('/srv/www');
    expect(tidyPath('/')).toBe('/');
  });

  it('says what is wrong with a typed path', () => {
    expect(serverPathProblem('/srv/www')).toBeNull();
    expect(serverPathProblem('/odd\\xff\\\\name')).toBeNull();
    expect(serverPathProblem('srv')).toContain('root');
    expect(serverPathProblem('/srv/../etc')).toContain('..');
    expect(serverPathProblem('/a\\b')).toContain('backslash');
    expect(localFolderProblem('backup')).toContain('whole path');
    expect(localFolderProblem('/mnt/backup')).toBeNull();
    expect(localFolderProblem('D:\\backup')).toBeNull();
  });
});

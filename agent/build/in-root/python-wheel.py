"""Puts the data files of wheels where they belong, and prints what the wheels require by Debian's names, one a line."""
import email.parser, glob, os, re, sys, zipfile
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

site = sys.argv[1]
dest = '/build/dest'


def debian(text):
    """A version as Debian orders it: what comes before a release has a tilde. PEP 440"""
    version = Version(text)
    release = '.'.join(map(str, version.release))
    before = '~' + ''.join(map(str, version.pre)) if version.pre else '~dev%d' % version.dev if version.dev is not None else ''
    return release + before


def after(parts):
    """Where versions end that begin with these numbers."""
    return '.'.join(map(str, (*parts[:-1], parts[-1] + 1))) + '~'


def bounds(specifiers):
    """What Debian can say of specifiers: relations, sorted. What leaves single versions out it cannot."""
    said = set()
    for one in specifiers:
        prefix = one.version[:-2] if one.version.endswith('.*') else None
        if one.operator == '===' or one.operator == '!=':
            continue
        release = Version(prefix or one.version).release
        if one.operator in ('>=', '~=', '=='):
            said.add('>= ' + debian(prefix or one.version))
        if one.operator == '>':
            said.add('>> ' + debian(one.version))
        if one.operator == '<':
            said.add('<< ' + debian(one.version) + '~')
        if one.operator == '~=':
            said.add('<< ' + after(release[:-1]))
        if one.operator == '==' and prefix is not None:
            said.add('<< ' + after(release))
        # With whatever Debian puts behind it: 2.0-3, 2.0+dfsg-1, not 2.0.1.
        if one.operator == '<=' or (one.operator == '==' and prefix is None):
            said.add('<< ' + debian(one.version) + '.~')
    return sorted(said)


def tell(package, specifiers, plain=False):
    relations = bounds(specifiers)
    for relation in relations:
        # An epoch, which only Debian knows, is above every bound: such a package is not held to it.
        print('%s (%s)%s' % (package, relation, '' if plain or relation[0] == '>' else ' | %s (>= 1:0)' % package))
    if not relations:
        print(package)


names = {}
for line in open('/usr/share/dh-python/dist/cpython3_fallback', encoding='utf-8'):
    words = line.split()
    if len(words) > 1 and not words[0].startswith('#'):
        names[re.sub(r'[-_.]+', '-', words[0]).lower()] = words[1]

for wheel in glob.glob('/build/wheel/*.whl'):
    if os.path.basename(wheel).startswith('UNKNOWN-'):
        sys.exit('the project has no name: this release\'s setuptools reads none from pyproject.toml')
    for name in zipfile.ZipFile(wheel).namelist():
        found = re.match(r'[^/]+\.data/data/(.+[^/])$', name)
        if found:
            path = os.path.join(dest, found[1] if found[1].startswith('etc/') else 'usr/' + found[1])
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.rename(os.path.join(site, found[1]), path)
            try:
                os.removedirs(os.path.dirname(os.path.join(site, found[1])))
            except OSError:
                pass  # Something else is in the folder.
os.makedirs(site, exist_ok=True)

python = set()
for path in glob.glob(site + '/*.dist-info/METADATA'):
    metadata = email.parser.Parser().parse(open(path, encoding='utf-8'))
    if metadata['Requires-Python']:
        python.update(bounds(SpecifierSet(metadata['Requires-Python'])))
    for text in metadata.get_all('Requires-Dist') or []:
        one = Requirement(text)
        if one.marker is not None and not one.marker.evaluate({'extra': ''}):
            continue
        plain = re.sub(r'[-_.]+', '-', one.name).lower()
        tell(names.get(plain, 'python3-' + re.sub('^python3?-', '', plain)), one.specifier)
# A module in C is for one version of Python.
for folder, _, files in os.walk(site):
    for name in files:
        found = re.search(r'\.cpython-3(\d+)-.*\.so$', name)
        if found:
            python.update(('>= 3.%s~' % found[1], '<< 3.%d' % (int(found[1]) + 1)))
print('\n'.join('python3 (%s)' % one for one in sorted(python)) or 'python3')

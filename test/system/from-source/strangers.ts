import type { BuildDocument } from '../../../schemas/documents/rule.ts'

/** A repository as somebody else keeps it, and what its package is to be. */
export interface Stranger {
  readonly build: Partial<BuildDocument> & Pick<BuildDocument, 'with'>
  /** Path → text; `x:` before the path: it can be run. */
  readonly files: Readonly<Record<string, string>>
  /** What else is done in its work tree before it is committed. */
  readonly script?: string
  readonly tag?: string
  /** What `Depends` says, without versions of the C library. */
  readonly depends: string
  readonly version: string
  /** Of the package. */
  readonly has: readonly string[]
  /** Run on a node that has it, and what it says. */
  readonly run: readonly [command: string, says: string]
}

const HELLO = '#include <stdio.h>\nint main(void) { puts("hello"); return 0; }\n'
const PROJECT = (backend: string, requires: string, more: string): string => `[build-system]\nrequires = ["${requires}"]\nbuild-backend = "${backend}"\n[project]\nname = "app"\n${more}`
const SCRIPT = 'def main():\n    print("hello")\n'

/** Each is of the package `app`. */
export const STRANGERS: Readonly<Record<string, Stranger>> = {
  'make whose install knows no DESTDIR': {
    build: { with: 'make' },
    files: { Makefile: 'prefix = /usr/local\nbindir = $(prefix)/bin\nall: app\napp: app.c\n\tgcc -o app app.c\ninstall: app\n\tmkdir -p $(bindir) $(prefix)/share/man/man1\n\tcp app $(bindir)\n\tcp app.1 $(prefix)/share/man/man1\n', 'app.c': HELLO, 'app.1': '.TH APP 1\n' },
    depends: 'libc6', version: '0', has: ['/usr/bin/app', '/usr/share/man/man1/app.1'], run: ['app', 'hello\n'],
  },
  'make with a Makefile in lower case, a program that may be who it is not, and names with spaces': {
    build: { with: 'make' }, tag: 'release_1_2',
    files: { makefile: 'app: app.c\n\t$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $<\ninstall: app\n\tinstall -D -m 4755 app $(DESTDIR)$(PREFIX)/sbin/app\n\tinstall -D -m 644 "a file.conf" "$(DESTDIR)/etc/app dir/ä ö.conf"\n\tinstall -D -m 600 app.c "$(DESTDIR)$(PREFIX)/share/app/a\'b \\"c.txt"\n\tln -s ../../../etc/passwd $(DESTDIR)$(PREFIX)/share/app/users\n', 'app.c': HELLO, 'a file.conf': 'a\n' },
    depends: 'libc6', version: '1.2', has: ['/etc/app dir/ä ö.conf', '/usr/sbin/app', '/usr/share/app/a\'b "c.txt', '/usr/share/app/users'], run: ['app && stat -c %A%U /usr/sbin/app && cat "/etc/app dir/ä ö.conf"', 'hello\n-rwsr-xr-xroot\na\n'],
  },
  'cmake that finds a package, and gives a library with its headers': {
    build: { with: 'cmake', needs: ['zlib1g-dev'] }, tag: 'v1.0-rc1',
    files: {
      'CMakeLists.txt': 'cmake_minimum_required(VERSION 3.10)\nproject(app VERSION 1.0 LANGUAGES C CXX)\nfind_package(ZLIB REQUIRED)\ninclude(GNUInstallDirs)\nadd_library(appz SHARED appz.cpp)\nset_target_properties(appz PROPERTIES SOVERSION 1)\ntarget_link_libraries(appz PRIVATE ZLIB::ZLIB)\nadd_executable(app main.c)\ntarget_link_libraries(app appz)\ninstall(TARGETS app appz EXPORT appTargets)\ninstall(EXPORT appTargets DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/app)\ninstall(FILES appz.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})\ninstall(FILES app.conf DESTINATION ${CMAKE_INSTALL_FULL_SYSCONFDIR}/app)\n',
      'appz.h': 'const char *appz(void);\n', 'appz.cpp': '#include <string>\n#include <zlib.h>\nstatic std::string said;\nextern "C" const char *appz(void) { said = std::string("zlib ") + zlibVersion()[0]; return said.c_str(); }\n',
      'main.c': '#include <stdio.h>\n#include "appz.h"\nint main(void) { puts(appz()); return 0; }\n', 'app.conf': 'a = 1\n',
    },
    depends: 'libc6, libgcc-s1, libstdc++6, zlib1g', version: '1.0~rc1', has: ['/etc/app/app.conf', '/usr/bin/app', '/usr/include/appz.h', '/usr/lib/x86_64-linux-gnu/libappz.so.1'], run: ['app', 'zlib 1\n'],
  },
  'autotools without a configure, with a library of its own and no README': {
    build: { with: 'autotools' },
    files: {
      'configure.ac': 'AC_INIT([app], [3.1])\nAC_CONFIG_AUX_DIR([build-aux])\nAC_CONFIG_MACRO_DIRS([m4])\nAM_INIT_AUTOMAKE([foreign subdir-objects])\nAM_PROG_AR\nLT_INIT\nAC_PROG_CC\nAC_CONFIG_HEADERS([config.h])\nPKG_CHECK_MODULES([Z], [zlib])\nAC_CONFIG_FILES([Makefile src/Makefile])\nAC_OUTPUT\n',
      'Makefile.am': 'SUBDIRS = src\nACLOCAL_AMFLAGS = -I m4\nlocalstatedir_hack = no\ninstall-data-hook:\n\t$(MKDIR_P) $(DESTDIR)$(localstatedir)/lib/app\n', 'm4/.keep': '', 'build-aux/.keep': '',
      'src/Makefile.am': 'lib_LTLIBRARIES = libapp.la\nlibapp_la_SOURCES = lib.c\nlibapp_la_CPPFLAGS = $(Z_CFLAGS)\nlibapp_la_LIBADD = $(Z_LIBS)\nbin_PROGRAMS = app\napp_SOURCES = app.c\napp_LDADD = libapp.la\ndist_sysconf_DATA = app.conf\n',
      'src/lib.c': '#include "config.h"\n#include <zlib.h>\nconst char *said(void) { return zlibVersion()[0] == \'1\' ? PACKAGE_VERSION : "other"; }\n', 'src/app.c': '#include <stdio.h>\nconst char *said(void);\nint main(void) { puts(said()); return 0; }\n', 'src/app.conf': 'b\n',
    },
    depends: 'libc6, zlib1g', version: '0', has: ['/etc/app.conf', '/usr/bin/app', '/usr/lib/libapp.so.0'], run: ['app && ls -d /var/lib/app', '3.1\n/var/lib/app\n'],
  },
  'python by setuptools: below src, programs, files beside modules and elsewhere, bounds': {
    build: { with: 'python' }, tag: 'v2.0',
    files: {
      'pyproject.toml': PROJECT('setuptools.build_meta', 'setuptools>=61', 'version = "2.0"\nrequires-python = ">=3.9,<4"\ndependencies = ["PyYAML>=5,<7", "requests~=2.28", "attrs<30,>=20", "six==1.*"]\n[project.optional-dependencies]\ntest = ["pytest"]\n[project.scripts]\napp = "app.cli:main"\n[tool.setuptools.packages.find]\nwhere = ["src"]\n[tool.setuptools.package-data]\napp = ["*.txt"]\n[tool.setuptools.data-files]\n"share/app" = ["data/table.csv"]\n"etc/app" = ["data/app.ini"]\n'),
      'src/app/__init__.py': '', 'src/app/cli.py': 'import pkgutil, yaml, requests, attr, six\n\ndef main():\n    print(pkgutil.get_data("app", "said.txt").decode(), end="")\n', 'src/app/said.txt': 'hello\n', 'data/table.csv': 'a,b\n', 'data/app.ini': '[a]\n',
    },
    depends: 'python3 (<< 4~), python3 (>= 3.9), python3-attr (<< 30~) | python3-attr (>= 1:0), python3-attr (>= 20), python3-requests (<< 3~) | python3-requests (>= 1:0), python3-requests (>= 2.28), python3-six (<< 2~) | python3-six (>= 1:0), python3-six (>= 1), python3-yaml (<< 7~) | python3-yaml (>= 1:0), python3-yaml (>= 5)', version: '2.0', has: ['/etc/app/app.ini', '/usr/bin/app', '/usr/lib/python3/dist-packages/app/said.txt', '/usr/share/app/table.csv'], run: ['app', 'hello\n'],
  },
  'python with a module in C, and nothing but setup.py': {
    build: { with: 'python', needs: ['python3-dev'] }, tag: '0.9',
    files: { 'setup.py': 'from setuptools import setup, Extension\nsetup(name="app", version="0.9", scripts=["bin/app"], ext_modules=[Extension("_app", ["app.c"])])\n', 'app.c': '#include <Python.h>\nstatic PyObject *said(PyObject *s, PyObject *a) { return PyUnicode_FromString("hello"); }\nstatic PyMethodDef methods[] = { { "said", said, METH_NOARGS, "" }, { 0 } };\nstatic struct PyModuleDef module = { PyModuleDef_HEAD_INIT, "_app", 0, -1, methods };\nPyMODINIT_FUNC PyInit__app(void) { return PyModule_Create(&module); }\n', 'x:bin/app': '#!/usr/bin/env python\nimport _app\nprint(_app.said())\n' },
    depends: 'python3 (<< 3.12), python3 (>= 3.11~)', version: '0.9', has: ['/usr/bin/app'], run: ['app', 'hello\n'],
  },
  'python by hatchling, whose version is in git': {
    build: { with: 'python', needs: ['python3-hatchling', 'python3-hatch-vcs'] }, tag: 'v1.4.2',
    files: { 'pyproject.toml': PROJECT('hatchling.build', 'hatchling", "hatch-vcs', 'dynamic = ["version"]\n[project.scripts]\napp = "app:main"\n[tool.hatch.version]\nsource = "vcs"\n'), 'src/app/__init__.py': 'import importlib.metadata\n\ndef main():\n    print(importlib.metadata.version("app"))\n' },
    depends: 'python3', version: '1.4.2', has: ['/usr/bin/app', '/usr/lib/python3/dist-packages/app/__init__.py'], run: ['app', '1.4.2\n'],
  },
  'python by flit': {
    build: { with: 'python', needs: ['flit'] }, tag: '1.0',
    files: { 'pyproject.toml': PROJECT('flit_core.buildapi', 'flit_core >=3.2,<4', 'version = "1.0"\ndescription = "an app"\n[project.scripts]\napp = "app:main"\n'), 'app.py': `"""An app."""\n${SCRIPT}` },
    depends: 'python3', version: '1.0', has: ['/usr/bin/app', '/usr/lib/python3/dist-packages/app.py'], run: ['app', 'hello\n'],
  },
  'python by poetry': {
    build: { with: 'python', needs: ['python3-poetry-core'] }, tag: '1.0',
    files: { 'pyproject.toml': '[tool.poetry]\nname = "app"\nversion = "1.0"\ndescription = ""\nauthors = []\npackages = [{ include = "app" }]\n[tool.poetry.dependencies]\npython = "^3.8"\njinja2 = "^3.0"\n[tool.poetry.scripts]\napp = "app.main:main"\n[build-system]\nrequires = ["poetry-core"]\nbuild-backend = "poetry.core.masonry.api"\n', 'app/__init__.py': '', 'app/main.py': `import jinja2\n\n${SCRIPT}` },
    depends: 'python3 (<< 4.0~), python3 (>= 3.8), python3-jinja2 (<< 4.0~) | python3-jinja2 (>= 1:0), python3-jinja2 (>= 3.0)', version: '1.0', has: ['/usr/bin/app'], run: ['app', 'hello\n'],
  },
  'node without dependencies, as CommonJS': {
    build: { with: 'node' }, tag: 'v1.0.0',
    files: { 'package.json': '{ "name": "app", "version": "1.0.0", "bin": "./cli.js", "engines": { "node": ">=16 <21" } }', 'cli.js': '#!/usr/bin/env node\nconsole.log(require("./lib").said)\n', 'lib/index.js': 'exports.said = "hello"\n', '.gitignore': 'x\n', '.github/workflows/ci.yaml': 'a: 1\n' },
    depends: 'nodejs (<< 21~), nodejs (>= 16)', version: '1.0.0', has: ['/usr/bin/app', '/usr/share/nodejs/app/lib/index.js'], run: ['app', 'hello\n'],
  },
  'node with dependencies and a lock, as modules, and a unit for systemd': {
    build: { with: 'node' }, tag: 'v3.0.0-beta.2',
    files: { 'package.json': '{ "name": "@house/app", "version": "3.0.0-beta.2", "type": "module", "bin": { "app": "bin/app.js" }, "exports": "./src/index.js", "dependencies": { "ws": "^8.2.0", "semver": "~7.3.2 || ^8" }, "devDependencies": { "tap": "^16" }, "scripts": { "test": "tap" } }', 'package-lock.json': '{ "name": "@house/app", "lockfileVersion": 3, "packages": { "node_modules/ws": { "version": "8.2.0" } } }', 'bin/app.js': '#!/usr/bin/env node\nimport { said } from "../src/index.js"\nconsole.log(said)\n', 'src/index.js': 'import { WebSocketServer } from "ws"\nimport semver from "semver"\nexport const said = typeof WebSocketServer + semver.major("7.1.0")\n', 'app.service': '[Service]\nExecStart=/usr/bin/app\n' },
    depends: 'node-semver (<< 9~) | node-semver (>= 1:0), node-semver (>= 7.3.2), node-ws (<< 9~) | node-ws (>= 1:0), node-ws (>= 8.2.0), nodejs', version: '3.0.0~beta.2', has: ['/usr/bin/app', '/usr/share/nodejs/@house/app/app.service'], run: ['app', 'function7\n'],
  },
  'debian in the format of quilt, with patches, a service and a user': {
    build: { with: 'debian' }, tag: 'upstream/1.5',
    files: {
      'debian/control': 'Source: app\nMaintainer: a <a@example.com>\nBuild-Depends: debhelper-compat (= 13)\nStandards-Version: 4.6.2\nRules-Requires-Root: no\n\nPackage: app\nArchitecture: any\nDepends: ${shlibs:Depends}, ${misc:Depends}\nDescription: an app\n of ours\n',
      'debian/changelog': 'app (1.5-1) unstable; urgency=medium\n\n  * Ours.\n\n -- a <a@example.com>  Sun, 01 Feb 2026 12:00:00 +0000\n', 'x:debian/rules': '#!/usr/bin/make -f\n%:\n\tdh $@\n', 'debian/source/format': '3.0 (quilt)\n', 'debian/patches/series': 'hello.patch\n', 'debian/patches/hello.patch': '--- a/app.c\n+++ b/app.c\n@@ -1,2 +1,2 @@\n #include <stdio.h>\n-int main(void) { puts("hello"); return 0; }\n+int main(void) { puts("good day"); return 0; }\n',
      'debian/app.service': '[Unit]\nDescription=app\n[Service]\nExecStart=/usr/bin/app\n[Install]\nWantedBy=multi-user.target\n', 'Makefile': 'app: app.c\n\t$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $<\ninstall: app\n\tinstall -D app $(DESTDIR)/usr/bin/app\n', 'app.c': HELLO,
    },
    depends: 'libc6', version: '1.5-1', has: ['/lib/systemd/system/app.service', '/usr/bin/app'], run: ['app', 'good day\n'],
  },
  'debian, native, of which one of two packages is wanted': {
    build: { with: 'debian' },
    files: {
      'debian/control': 'Source: app-source\nMaintainer: a <a@example.com>\nBuild-Depends: debhelper (>= 12)\n\nPackage: app\nArchitecture: all\nDepends: ${misc:Depends}, app-common (= ${binary:Version}) | adduser\nDescription: an app\n\nPackage: app-common\nArchitecture: all\nDescription: more of it\n', 'debian/compat': '12\n',
      'debian/changelog': 'app-source (7) unstable; urgency=medium\n\n  * Ours.\n\n -- a <a@example.com>  Sun, 01 Feb 2026 12:00:00 +0000\n', 'x:debian/rules': '#!/usr/bin/make -f\n%:\n\tdh $@\n', 'debian/source/format': '3.0 (native)\n', 'debian/app.install': 'app usr/bin\n', 'debian/app-common.install': 'table usr/share/app\n', 'x:app': '#!/bin/sh\necho hello\n', 'table': '1\n',
    },
    depends: 'app-common | adduser', version: '7', has: ['/usr/bin/app'], run: ['app', 'hello\n'],
  },
}

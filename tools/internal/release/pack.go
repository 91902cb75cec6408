package main

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/goreleaser/nfpm/v2"
	_ "github.com/goreleaser/nfpm/v2/apk"
	_ "github.com/goreleaser/nfpm/v2/arch"
	_ "github.com/goreleaser/nfpm/v2/deb"
	"github.com/goreleaser/nfpm/v2/files"
	_ "github.com/goreleaser/nfpm/v2/rpm"
)

// pack makes the packages and tarballs.
func (r *release) pack() error {
	if err := errors.Join(r.compressPages(), r.changelog(), r.scripts(), r.settle()); err != nil {
		return err
	}
	for _, arch := range r.archs {
		for _, kind := range []string{"deb", "rpm", "apk", "archlinux"} {
			if !slices.Contains(r.kinds, kind) {
				continue
			}
			if err := r.packageFor(kind, arch); err != nil {
				return fmt.Errorf("%s for %s: %w", kind, arch, err)
			}
		}
		if slices.Contains(r.kinds, "tar") {
			if err := r.tarball(arch); err != nil {
				return err
			}
		}
	}
	return nil
}

// compressPages leaves the manual pages as distributions want them.
func (r *release) compressPages() error {
	pages, err := filepath.Glob(filepath.Join(r.stage, "man", "man?", "*"))
	if err != nil {
		return err
	}
	for _, page := range pages {
		if err := compress(page, page+".gz"); err != nil {
			return err
		}
	}
	return compress(filepath.Join(r.root, "CHANGELOG.md"), filepath.Join(r.stage, "CHANGELOG.md.gz"))
}

// compress leaves name and time out, so that equal files stay equal.
func compress(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	z, err := gzip.NewWriterLevel(f, gzip.BestCompression)
	if err == nil {
		_, err = z.Write(text)
		err = errors.Join(err, z.Close())
	}
	return errors.Join(err, f.Close())
}

// changelog is the distributions' own: one entry, which leads to ours.
func (r *release) changelog() error {
	text := fmt.Sprintf("- semver: %s\n  date: %s\n  packager: %s\n  deb: {urgency: medium, distributions: [unstable]}\n  changes:\n    - note: \"see CHANGELOG.md\"\n", r.version, r.date.Format("2006-01-02T15:04:05Z"), maintainer)
	return os.WriteFile(filepath.Join(r.stage, "changelog.yaml"), []byte(text), 0o644)
}

const maintainer = "The bitgate authors <bitgate@example.com>"

// scripts stages the packages' own: mode and time of what lies in the checkout are in
// an .apk, and differ from machine to machine.
func (r *release) scripts() error {
	found, err := filepath.Glob(filepath.Join(r.root, "packaging", "*.sh"))
	if err != nil {
		return err
	}
	for _, path := range found {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		staged := filepath.Join(r.stage, filepath.Base(path))
		if err := errors.Join(os.WriteFile(staged, text, 0o755), os.Chmod(staged, 0o755)); err != nil {
			return err
		}
	}
	return nil
}

// settle gives every staged file the time of the commit.
func (r *release) settle() error {
	return filepath.WalkDir(r.stage, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chtimes(path, r.date, r.date)
	})
}

// packageFor makes one package by packaging/nfpm.yaml.
func (r *release) packageFor(kind, arch string) error {
	if err := os.Setenv("SOURCE_DATE_EPOCH", strconv.FormatInt(r.date.Unix(), 10)); err != nil {
		return err
	}
	variables := map[string]string{"VERSION": r.version, "ARCH": arch, "ROOT": r.root, "STAGE": r.stage, "MAINTAINER": maintainer}
	text, err := os.ReadFile(filepath.Join(r.root, "packaging", "nfpm.yaml"))
	if err != nil {
		return err
	}
	// nfpm itself puts variables into some of the settings only.
	config, err := nfpm.Parse(strings.NewReader(os.Expand(string(text), func(name string) string { return variables[name] })))
	if err != nil {
		return err
	}
	info, err := config.Get(kind)
	if err != nil {
		return err
	}
	if err := r.addDocuments(info, kind); err != nil {
		return err
	}
	if kind != "deb" { // whose licence is in its copyright file
		info.License = "Apache-2.0"
	}
	info = nfpm.WithDefaults(info)
	info.MTime = r.date
	packager, err := nfpm.Get(kind)
	if err != nil {
		return err
	}
	info.Target = filepath.Join(r.out, packager.ConventionalFileName(info))
	f, err := os.Create(info.Target)
	if err != nil {
		return err
	}
	return errors.Join(packager.Package(info, f), f.Close())
}

// addDocuments adds manual pages and docs: rpm knows that documents can be left out,
// and nfpm takes no pattern for those.
func (r *release) addDocuments(info *nfpm.Info, kind string) error {
	folders := map[string]string{filepath.Join(r.stage, "man/man1/*.gz"): "/usr/share/man/man1", filepath.Join(r.stage, "man/man5/*.gz"): "/usr/share/man/man5"}
	what := ""
	switch kind {
	case "rpm":
		what = files.TypeRPMDoc
		fallthrough
	case "deb":
		folders[filepath.Join(r.root, "docs/*.md")] = "/usr/share/doc/bitgate"
	}
	for _, pattern := range slices.Sorted(maps.Keys(folders)) {
		found, err := filepath.Glob(pattern)
		if err != nil {
			return err
		}
		for _, path := range found {
			info.Contents = append(info.Contents, &files.Content{
				Source: path, Destination: folders[pattern] + "/" + filepath.Base(path), Type: what, FileInfo: &files.ContentFileInfo{Mode: 0o644},
			})
		}
	}
	return nil
}

// tarball is for everybody else, and has the program on top.
func (r *release) tarball(arch string) (err error) {
	f, err := os.Create(filepath.Join(r.out, fmt.Sprintf("bitgate_%s_linux_%s.tar.gz", r.version, arch)))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	z, err := gzip.NewWriterLevel(f, gzip.BestCompression)
	if err != nil {
		return err
	}
	w := tar.NewWriter(z)
	all := []struct{ name, from string }{{"bitgate", r.program(arch)}}
	for _, name := range []string{"LICENSE", "README.md", "CHANGELOG.md"} {
		all = append(all, struct{ name, from string }{name, filepath.Join(r.root, name)})
	}
	for _, glob := range []struct{ dir, from, what string }{
		{"docs", filepath.Join(r.root, "docs"), "*.md"},
		{"docs/pictures", filepath.Join(r.root, "docs/pictures"), "*.svg"},
		{"man", filepath.Join(r.stage, "man"), "man?/*[0-9]"},
		{"completion", r.stage, "completion.*"},
	} {
		found, err := filepath.Glob(filepath.Join(glob.from, glob.what))
		if err != nil {
			return err
		}
		for _, path := range found {
			name := strings.TrimPrefix(strings.TrimPrefix(path, glob.from), "/")
			all = append(all, struct{ name, from string }{glob.dir + "/" + strings.TrimPrefix(name, "completion."), path})
		}
	}
	for _, file := range all {
		if err := r.add(w, file.name, file.from); err != nil {
			return err
		}
	}
	return errors.Join(w.Close(), z.Close())
}

// add puts a file into a tar, owned by root and as old as the commit.
func (r *release) add(w *tar.Writer, name, from string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	mode := int64(0o644)
	if info.Mode()&0o100 != 0 {
		mode = 0o755
	}
	if err := w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: mode, Size: info.Size(), ModTime: r.date, Format: tar.FormatPAX}); err != nil {
		return err
	}
	_, err = io.Copy(w, f)
	return err
}

// Command release makes all files of a release from a checkout:
//
//	check     the tag of HEAD is the version, nothing is changed, and CHANGELOG.md tells of it
//	checkout  the files of that commit, and no others of the checkout
//	build     one static program for each architecture, with version, commit and date
//	stage     manual pages, completions and the unit, as the program itself prints them
//	pack      .deb, .rpm, .apk and Arch packages (packaging/nfpm.yaml), tar.gz
//	image     one OCI layout with an image for each architecture, in a tar file
//	list      what the program is made of (CycloneDX)
//	sum       SHA256SUMS, and its signature, SHA256SUMS.sig, by an SSH key
//
// Every time in them is that of the commit, so that the same commit and the same Go
// make the same bytes anywhere. Nothing is uploaded.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// release is one making of a release.
type release struct {
	root    string // of the files that it is made of
	tagged  bool   // they are those of a tag
	out     string // where the files go
	stage   string // for what is packed
	version string // "1.2.3"
	commit  string
	date    time.Time // of the commit
	archs   []string
	kinds   []string
	key     string // file of the SSH key that signs; "" for none
}

// kinds of files that can be made.
var allKinds = []string{"deb", "rpm", "apk", "archlinux", "tar", "image", "sbom"}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run() (err error) {
	r := release{}
	from := flag.String("from", ".", "`DIR` that relative paths start in")
	snapshot := flag.Bool("snapshot", false, "no release: any commit, with changes of one's own")
	archs := flag.String("arch", "amd64,arm64", "architectures, as Go calls them")
	kinds := flag.String("only", strings.Join(allKinds, ","), "what to make")
	flag.StringVar(&r.root, "root", ".", "`DIR` of the checkout")
	flag.StringVar(&r.out, "out", "dist", "`DIR` for the files; what it held is removed")
	flag.StringVar(&r.version, "version", "", "`VERSION` of a snapshot")
	flag.StringVar(&r.key, "key", "", "`FILE` with the SSH key that signs SHA256SUMS")
	flag.Parse()
	if flag.NArg() > 0 {
		return fmt.Errorf("%q is one argument too many", flag.Arg(0))
	}
	r.archs, r.kinds = strings.Split(*archs, ","), strings.Split(*kinds, ",")
	for _, path := range []*string{&r.out, &r.key} {
		if *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(*from, *path)
		}
	}
	if err := r.identify(*snapshot); err != nil {
		return err
	}
	if err := r.emptyOut(); err != nil {
		return err
	}
	if r.stage, err = os.MkdirTemp("", "bitgate-release-"); err != nil {
		return err
	}
	defer os.RemoveAll(r.stage)
	for _, step := range []func() error{r.checkout, r.build, r.pack, r.image, r.sbom, r.sum} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// mark says that a folder was made by this program, which may empty it again.
const mark = "SHA256SUMS"

func (r *release) emptyOut() error {
	entries, err := os.ReadDir(r.out)
	if err == nil && len(entries) > 0 {
		if _, err := os.Stat(filepath.Join(r.out, mark)); err != nil {
			return fmt.Errorf("%s holds something else than a release: name another folder, or empty it", r.out)
		}
		if err := os.RemoveAll(r.out); err != nil {
			return err
		}
	}
	return os.MkdirAll(r.out, 0o755)
}

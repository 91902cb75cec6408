package torture

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"bitgate/internal/peers"
)

// filesystem is how a disk is made and mounted so that it writes as late as it may.
type filesystem struct {
	name  string
	size  int64 // bytes; the least that its mkfs takes
	mkfs  []string
	mount string // options
}

var filesystems = []filesystem{
	{"ext4", 64 << 20, []string{"mkfs.ext4", "-q", "-F"}, "noauto_da_alloc,commit=300,data=writeback"},
	{"xfs", 320 << 20, []string{"mkfs.xfs", "-q", "-f"}, "nouuid"},
	{"btrfs", 128 << 20, []string{"mkfs.btrfs", "-q", "-f"}, "commit=300"},
}

// The power is cut after each writing call of an apply: what is on the disk
// then, and only that, comes up again; every file is old or new, and recover
// makes the whole machine the one or the other.
func TestPowerCut(t *testing.T) {
	needRoot(t)
	t.Parallel()
	for _, fs := range filesystems {
		t.Run(fs.name, func(t *testing.T) {
			t.Parallel()
			fs.need(t)
			kinds := []kind{{propertiesGeneration, builtin, "apply", 3}}
			if long {
				kinds = []kind{{propertiesGeneration, builtin, "apply", 0}, {xmlGeneration, haproxy, "apply", 0}, {propertiesGeneration, haproxy, "undo", 0}}
			}
			for _, k := range kinds {
				t.Run(k.String(), func(t *testing.T) { k.cutPower(t, fs) })
			}
		})
	}
}

// The copy of a disk must not hold what was never written to it, or the test
// above would prove nothing.
func TestPowerCutLosesWhatWasNotSynced(t *testing.T) {
	needRoot(t)
	for _, fs := range filesystems {
		t.Run(fs.name, func(t *testing.T) {
			fs.need(t)
			fs.losesWhatWasNotSynced(t)
		})
	}
}

func (fs filesystem) losesWhatWasNotSynced(t *testing.T) {
	d := &disk{fs: fs, image: filepath.Join(t.TempDir(), "disk.img"), dir: t.TempDir()}
	d.create(t)
	d.mount(t, d.image)
	synced, lost := filepath.Join(d.dir, "synced"), filepath.Join(d.dir, "lost")
	f, err := os.Create(synced)
	must(t, err)
	_, err = f.WriteString("kept")
	must(t, errors.Join(err, f.Sync(), f.Close()))
	must(t, os.WriteFile(lost, []byte("gone"), 0o600))
	must(t, d.copy(d.image+"-cut"))
	d.unmount(t)
	d.mount(t, d.image+"-cut")
	if data, err := os.ReadFile(synced); err != nil || string(data) != "kept" {
		t.Errorf("what was synced: %q, %v", data, err)
	}
	if data, err := os.ReadFile(lost); err == nil && len(data) > 0 {
		t.Errorf("what was not synced is there: %q", data)
	}
}

// cut is the disk at the moment of a power cut. Bitbucket's database is on
// another one, which keeps what was committed.
type cut struct {
	point
	image   string
	baseURL string
}

func (k kind) cutPower(t *testing.T, fs filesystem) {
	disk := &disk{fs: fs, image: filepath.Join(t.TempDir(), "disk.img"), dir: t.TempDir()}
	disk.create(t)
	disk.mount(t, disk.image)
	s := newSite(t, k.version, k.front, options{Dir: disk.dir})
	points := k.points(t, s)
	chosen := k.pick(slices.DeleteFunc(slices.Clone(points), func(p point) bool { return k.sample > 0 && !settling(p) }))
	cuts := k.record(t, s, disk, chosen)
	recovered := 0
	for _, c := range cuts {
		s.reboot(t, disk, c)
		recovered += k.recover(t, s, "power cut after "+c.String(), false)
		must(t, os.Remove(c.image))
	}
	t.Logf("%s, %s: %d points, power cut at %d of %d, recovered %d", fs.name, k, len(points), len(cuts), len(chosen), recovered)
	if len(cuts) != len(chosen) || recovered != len(chosen) {
		t.Errorf("%d points, but the power was cut at %d, and %d recovered", len(chosen), len(cuts), recovered)
	}
}

// settling is a call after which something is on the disk that was not before.
func settling(p point) bool { return p.Call == "fsync" || p.Call == "rename" }

// record runs the command once and copies the disk after each chosen call, while
// the calling thread stands still. The copy holds what was written to the disk;
// what the kernel still keeps in memory is not in it.
func (k kind) record(t *testing.T, s *site, d *disk, chosen []point) []cut {
	t.Helper()
	k.prepare(t, s)
	unix.Sync()
	var cuts []cut
	var failed error
	tr := &tracer{Below: s.Dir, Leave: func(p point) {
		if !slices.Contains(chosen, p) {
			return
		}
		c := cut{p, fmt.Sprintf("%s-%d", d.image, len(cuts)), s.BB.BaseURL()}
		failed = errors.Join(failed, d.copy(c.image))
		cuts = append(cuts, c)
	}}
	o, err := tr.run(s.machine, k.line(s))
	must(t, errors.Join(err, failed))
	if o.Code != 0 {
		t.Fatalf("%s: %s", k.command, o)
	}
	return cuts
}

// reboot brings the machine up from a disk as it was at the cut.
func (s *site) reboot(t *testing.T, d *disk, c cut) {
	t.Helper()
	must(t, s.BB.Stop())
	if s.HAProxy != nil {
		s.HAProxy.Stop()
	}
	d.unmount(t)
	d.mount(t, c.image)
	s.BB.SetField("baseURL", c.baseURL)
	must(t, s.BB.Start())
	if s.HAProxy != nil {
		s.startHAProxy(t)
	}
}

// disk is an image that is mounted through a loop device.
type disk struct {
	fs      filesystem
	image   string
	dir     string
	mounted bool
}

// need skips where this kernel mounts no such disk, and says which and why: no
// package mends that.
func (fs filesystem) need(t *testing.T) {
	t.Helper()
	peers.Need(t, fs.mkfs[0])
	d := &disk{fs: fs, image: filepath.Join(t.TempDir(), "try.img"), dir: t.TempDir()}
	d.create(t)
	if out, err := exec.Command("mount", "-o", "loop,"+fs.mount, d.image, d.dir).CombinedOutput(); err != nil {
		t.Skipf("NOT TESTED: power cuts on %s: this machine mounts none, not even a fresh and empty one on a loop device: %v: %s", fs.name, err, out)
	}
	d.mounted = true
	d.unmount(t)
}

func (d *disk) create(t *testing.T) {
	t.Helper()
	f, err := os.Create(d.image)
	must(t, err)
	must(t, errors.Join(f.Truncate(d.fs.size), f.Close()))
	mkfs := peers.Path(t, d.fs.mkfs[0])
	if out, err := exec.Command(mkfs, append(slices.Clone(d.fs.mkfs[1:]), d.image)...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", mkfs, err, out)
	}
}

// copy is the disk without power: what its file system has not written to it
// is lost.
func (d *disk) copy(to string) error {
	if out, err := exec.Command("cp", "--sparse=always", d.image, to).CombinedOutput(); err != nil {
		return fmt.Errorf("copy the disk: %w: %s", err, out)
	}
	return nil
}

func (d *disk) mount(t *testing.T, image string) {
	t.Helper()
	if out, err := exec.Command("mount", "-o", "loop,"+d.fs.mount, image, d.dir).CombinedOutput(); err != nil {
		t.Fatalf("mount %s: %v: %s", image, err, out)
	}
	if !d.mounted {
		t.Cleanup(func() {
			if d.mounted {
				_ = unix.Unmount(d.dir, unix.MNT_DETACH) // whatever still holds it ends with the test
			}
		})
	}
	d.mounted = true
}

// unmount waits for whoever is just closing a file there.
func (d *disk) unmount(t *testing.T) {
	t.Helper()
	peers.WaitFor(t, "the disk to be unmounted", func() bool { return exec.Command("umount", d.dir).Run() == nil })
	d.mounted = false
}

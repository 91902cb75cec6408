package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// TestImageIsOne: skopeo and podman take a layout whose index has one entry without
// being told which; that one has the images of all architectures.
func TestImageIsOne(t *testing.T) {
	r := &release{stage: t.TempDir(), out: t.TempDir(), version: "1.2.3", date: time.Unix(1e9, 0), archs: []string{"amd64", "arm64"}, kinds: []string{"image"}}
	for _, arch := range r.archs {
		if err := os.MkdirAll(filepath.Dir(r.program(arch)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(r.program(arch), []byte("for "+arch), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.image(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(r.out, "bitgate_1.2.3_oci.tar")); err != nil {
		t.Error(err)
	}
	index, err := layout.ImageIndexFromPath(filepath.Join(r.stage, "image"))
	if err != nil {
		t.Fatal(err)
	}
	outer, err := index.IndexManifest()
	if err != nil || len(outer.Manifests) != 1 || outer.Manifests[0].MediaType != types.OCIImageIndex || outer.Manifests[0].Annotations["org.opencontainers.image.ref.name"] != "1.2.3" {
		t.Fatalf("%v, %+v", err, outer)
	}
	images, err := index.ImageIndex(outer.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	inner, err := images.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var archs []string
	for _, m := range inner.Manifests {
		archs = append(archs, m.Platform.Architecture)
		image, err := images.Image(m.Digest)
		if err != nil {
			t.Fatal(err)
		}
		if file, err := image.ConfigFile(); err != nil || file.Architecture != m.Platform.Architecture {
			t.Errorf("%v: the image of %s is for %+v", err, m.Platform, file)
		}
	}
	if !slices.Equal(archs, r.archs) {
		t.Errorf("images for %q", archs)
	}
}

package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// image makes an OCI image layout (image-spec, image-layout.md) with an image for
// each architecture, in a tar file: the program, and nothing else, as a user of its
// own. skopeo and podman load it, docker from 25: the layout's index has one entry, an
// index of the images, for where it had several they would ask which one is meant.
func (r *release) image() error {
	if !slices.Contains(r.kinds, "image") {
		return nil
	}
	images := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, arch := range r.archs {
		image, err := r.imageFor(arch)
		if err != nil {
			return err
		}
		images = mutate.AppendManifests(images, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}}})
	}
	index := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), mutate.IndexAddendum{Add: images, Descriptor: v1.Descriptor{
		Annotations: map[string]string{"org.opencontainers.image.ref.name": r.version},
	}})
	dir := filepath.Join(r.stage, "image")
	if _, err := layout.Write(dir, index); err != nil {
		return err
	}
	return r.tarOf(dir, filepath.Join(r.out, fmt.Sprintf("bitgate_%s_oci.tar", r.version)))
}

func (r *release) imageFor(arch string) (v1.Image, error) {
	var files bytes.Buffer
	w := tar.NewWriter(&files)
	for _, dir := range []string{"usr/", "usr/bin/", "etc/", "etc/bitgate/"} {
		if err := w.WriteHeader(&tar.Header{Name: dir, Typeflag: tar.TypeDir, Mode: 0o755, ModTime: r.date, Format: tar.FormatPAX}); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(r.add(w, "usr/bin/bitgate", r.program(arch)), w.Close()); err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(opener(files.Bytes()), tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, err
	}
	image, err := mutate.AppendLayers(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON), layer)
	if err != nil {
		return nil, err
	}
	file, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.Architecture, file.OS, file.Created = arch, "linux", v1.Time{Time: r.date}
	file.History = []v1.History{{Created: v1.Time{Time: r.date}, CreatedBy: "tools/release"}}
	file.Config = v1.Config{
		Entrypoint: []string{"/usr/bin/bitgate"}, Cmd: []string{"proxy", "--config", "/etc/bitgate/proxy.yaml"},
		User: "65532:65532", ExposedPorts: map[string]struct{}{"443/tcp": {}}, StopSignal: "SIGTERM",
		Labels: map[string]string{
			"org.opencontainers.image.title": "bitgate", "org.opencontainers.image.version": r.version, "org.opencontainers.image.revision": r.commit,
			"org.opencontainers.image.created": r.date.Format(time.RFC3339), "org.opencontainers.image.licenses": "Apache-2.0",
		},
	}
	return mutate.ConfigFile(image, file)
}

// tarOf puts a folder into a tar file, in the order of names.
func (r *release) tarOf(dir, to string) error {
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	w := tar.NewWriter(f)
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		return r.add(w, name, path)
	})
	return errors.Join(err, w.Close(), f.Close())
}

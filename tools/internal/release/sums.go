package main

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"
)

func opener(data []byte) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
}

// sbom lists what the program is made of, from the program itself (CycloneDX 1.6).
func (r *release) sbom() error {
	if !slices.Contains(r.kinds, "sbom") {
		return nil
	}
	info, err := buildinfo.ReadFile(r.program(r.archs[0]))
	if err != nil {
		return err
	}
	bom := cdx.NewBOM()
	name := "pkg:golang/bitgate@" + r.version
	id := sha256.Sum256([]byte(name + r.commit)) // equal commits have equal lists
	bom.SerialNumber = fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", id[0:4], id[4:6], 0x5000|int(id[6]&0x0f)<<8|int(id[7]), 0x8000|int(id[8]&0x3f)<<8|int(id[9]), id[10:16])
	bom.Metadata = &cdx.Metadata{
		Timestamp: r.date.Format(time.RFC3339),
		Component: &cdx.Component{BOMRef: name, Type: cdx.ComponentTypeApplication, Name: "bitgate", Version: r.version, PackageURL: name},
	}
	components := []cdx.Component{{BOMRef: "std", Type: cdx.ComponentTypeLibrary, Name: "std", Version: strings.TrimPrefix(info.GoVersion, "go"), PackageURL: "pkg:golang/std@" + strings.TrimPrefix(info.GoVersion, "go")}}
	refs := []string{"std"}
	for _, dep := range info.Deps {
		url := "pkg:golang/" + dep.Path + "@" + dep.Version
		components = append(components, cdx.Component{BOMRef: url, Type: cdx.ComponentTypeLibrary, Name: dep.Path, Version: dep.Version, PackageURL: url})
		refs = append(refs, url)
	}
	bom.Components, bom.Dependencies = &components, &[]cdx.Dependency{{Ref: name, Dependencies: &refs}}
	f, err := os.Create(filepath.Join(r.out, fmt.Sprintf("bitgate_%s.cdx.json", r.version)))
	if err != nil {
		return err
	}
	defer f.Close()
	return cdx.NewBOMEncoder(f, cdx.BOMFileFormatJSON).SetPretty(true).Encode(bom)
}

// sum writes the checksums, as sha256sum -c reads them, and signs them.
func (r *release) sum() error {
	entries, err := os.ReadDir(r.out)
	if err != nil {
		return err
	}
	var sums strings.Builder
	for _, e := range entries { // in the order of names
		data, err := os.ReadFile(filepath.Join(r.out, e.Name()))
		if err != nil {
			return err
		}
		digest := sha256.Sum256(data)
		fmt.Fprintf(&sums, "%s  %s\n", hex.EncodeToString(digest[:]), e.Name())
	}
	fmt.Print(sums.String())
	if err := os.WriteFile(filepath.Join(r.out, mark), []byte(sums.String()), 0o644); err != nil {
		return err
	}
	if r.key == "" {
		return nil
	}
	return r.sign(sums.String())
}

// sign makes a signature that ssh-keygen checks:
//
//	ssh-keygen -Y verify -f allowed_signers -I bitgate -n file -s SHA256SUMS.sig <SHA256SUMS
func (r *release) sign(text string) error {
	pem, err := os.ReadFile(r.key)
	if err != nil {
		return err
	}
	signer, err := ssh.ParsePrivateKey(pem)
	if err != nil {
		return fmt.Errorf("%s: %w", r.key, err)
	}
	signature, err := sshsig.Sign(strings.NewReader(text), signer, sshsig.HashSHA512, "file")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.out, mark+".sig"), sshsig.Armor(signature), 0o644)
}

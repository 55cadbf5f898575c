package agent

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestKeyFileRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gateway.key")
	key, err := NewKey(KeyEd25519, nil)
	must(t, err)
	must(t, SaveKey(path, key, Protection{}))
	info, err := os.Stat(path)
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %04o", info.Mode().Perm())
	}
	got, err := LoadKey(path, nil)
	if err != nil || !got.(interface{ Equal(crypto.PrivateKey) bool }).Equal(key) {
		t.Errorf("read another key: %v", err)
	}
	other, err := NewKey(KeyEd25519, nil)
	must(t, err)
	if err := SaveKey(path, other, Protection{}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("overwritten: %v", err)
	}
	if again, err := LoadKey(path, nil); err != nil || !again.(interface{ Equal(crypto.PrivateKey) bool }).Equal(key) {
		t.Errorf("the key changed: %v", err)
	}
	if err := SaveKey(filepath.Join(path, "below"), key, Protection{}); err == nil {
		t.Error("written below a file")
	}
}

func TestKeyFilesRefused(t *testing.T) {
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(curve)
	must(t, err)
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	must(t, err)
	weak, err := x509.MarshalPKCS8PrivateKey(short)
	must(t, err)
	own, err := x509.MarshalPKCS8PrivateKey(privateKey("intake"))
	must(t, err)
	block := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	good := block(pemPrivateKey, own)
	for name, c := range map[string]struct {
		text []byte
		mode fs.FileMode
		want string // in the error
	}{
		"group reads":       {good, 0o640, "chmod 600"},
		"others read":       {good, 0o604, "chmod 600"},
		"others write":      {good, 0o602, "chmod 600"},
		"empty":             {nil, 0o600, "no PEM block"},
		"garbage":           {[]byte("garbage"), 0o600, "no PEM block"},
		"a public key":      {block("PUBLIC KEY", own), 0o600, "no PEM block"},
		"cut short":         {good[:len(good)/2], 0o600, "no PEM block"},
		"broken inside":     {block(pemPrivateKey, own[:20]), 0o600, "asn1"},
		"another algorithm": {block(pemPrivateKey, der), 0o600, "Ed25519 and RSA"},
		"RSA, 1024 bits":    {block(pemPrivateKey, weak), 0o600, "2048, 3072 or 4096 bits"},
		"two keys":          {append(bytes.Clone(good), good...), 0o600, "more in it"},
		"far too large":     {make([]byte, maxKeyFile+1), 0o600, "more than"},
	} {
		path := filepath.Join(t.TempDir(), "gateway.key")
		must(t, os.WriteFile(path, c.text, 0o600))
		must(t, os.Chmod(path, c.mode))
		_, err := LoadKey(path, nil)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
		if errors.Is(err, ErrKeyOpen) != (c.mode != 0o600) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAKeyIsAFile(t *testing.T) {
	dir := t.TempDir()
	if _, err := LoadKey(filepath.Join(dir, "none"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if _, err := LoadKey(dir, nil); err == nil {
		t.Error("a directory is read as a key")
	}
	pipe := filepath.Join(dir, "pipe")
	must(t, unix.Mkfifo(pipe, 0o600))
	if _, err := LoadKey(pipe, nil); err == nil { // and does not wait for a writer
		t.Error("a pipe is read as a key")
	}
}

// TestWhatIsNotWrittenWholeIsRemoved fills the disk while a key is written.
func TestWhatIsNotWrittenWholeIsRemoved(t *testing.T) {
	if err := writeNew("/dev/full/x", []byte("x"), 0o600); err == nil {
		t.Error("written below a device")
	}
	short := bytes.NewReader(make([]byte, 7))
	if _, err := NewKey(KeyEd25519, short); err == nil {
		t.Error("a key of too little randomness")
	}
}

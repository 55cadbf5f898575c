package agent

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestKeySource: where a daemon takes its key and passphrase from, and what it
// says when it has none: it never asks.
func TestKeySource(t *testing.T) {
	type file struct {
		key        string // whose key; empty: text
		passphrase string // that protects it
		text       string
		mode       fs.FileMode
	}
	for name, c := range map[string]struct {
		profile    *file
		key        *file // the credentials
		passphrase *file
		given      Passphrase
		want       string // whose key
		is         error
		says       string
	}{
		"in clear":                     {profile: &file{key: "a"}, want: "a"},
		"protected, and no word":       {profile: &file{key: "a", passphrase: "correct horse"}, is: ErrNeedPassphrase, says: "remedy: give travelerd --passphrase-file"},
		"passphrase of the flags":      {profile: &file{key: "a", passphrase: "correct horse"}, given: knows("correct horse"), want: "a"},
		"passphrase as credential":     {profile: &file{key: "a", passphrase: "correct horse"}, passphrase: &file{text: "correct horse\n"}, want: "a"},
		"flags go first":               {profile: &file{key: "a", passphrase: "correct horse"}, passphrase: &file{text: "another one"}, given: knows("correct horse"), want: "a"},
		"wrong passphrase":             {profile: &file{key: "a", passphrase: "correct horse"}, passphrase: &file{text: "another one"}, is: ErrPassphrase, says: "profile.key"},
		"key as credential":            {profile: &file{key: "a"}, key: &file{key: "b"}, want: "b"},
		"key alone as credential":      {key: &file{key: "b"}, want: "b"},
		"both as credentials":          {key: &file{key: "b", passphrase: "correct horse"}, passphrase: &file{text: "correct horse"}, want: "b"},
		"as systemd's access list":     {key: &file{key: "b", mode: 0o440}, want: "b"},
		"a credential open to all":     {key: &file{key: "b", mode: 0o444}, is: ErrKeyOpen, says: BoardKey},
		"a credential of no key":       {profile: &file{key: "a"}, key: &file{text: "x"}, says: "no PEM block"},
		"a passphrase open to all":     {profile: &file{key: "a", passphrase: "correct horse"}, passphrase: &file{text: "correct horse", mode: 0o404}, is: ErrKeyOpen, says: PassphraseName},
		"a key open to the group":      {profile: &file{key: "a", mode: 0o440}, is: ErrKeyOpen, says: "profile.key"},
		"no key at all":                {is: fs.ErrNotExist, says: "profile.key"},
		"a passphrase for a clear one": {profile: &file{key: "a"}, passphrase: &file{text: "correct horse"}, want: "a"},
	} {
		dir := t.TempDir()
		put := func(f *file, name string) {
			if f == nil {
				return
			}
			path := filepath.Join(dir, name)
			if f.key != "" {
				must(t, SaveKey(path, privateKey(f.key), quick(f.passphrase)))
			} else {
				must(t, os.WriteFile(path, []byte(f.text), 0o400))
			}
			if f.mode != 0 {
				must(t, os.Chmod(path, f.mode))
			}
		}
		put(c.profile, "profile.key")
		put(c.key, BoardKey)
		put(c.passphrase, PassphraseName)
		from, key, err := KeySource{Credentials: dir, Passphrase: c.given}.load(filepath.Join(dir, "profile.key"))
		if c.want == "" {
			if err == nil || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: %v, want %q", name, err, c.says)
			}
			continue
		}
		file := map[string]string{"a": "profile.key", "b": BoardKey}[c.want]
		if err != nil || !sameKey(privateKey(c.want), key) || filepath.Base(from) != file {
			t.Errorf("%s: from %s: %v", name, from, err)
		}
	}
}

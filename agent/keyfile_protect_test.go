package agent

import (
	"bytes"
	"crypto"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/armor"
	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// quick protects with little work.
func quick(passphrase string) Protection { return Protection{Passphrase: passphrase, WorkFactor: 4} }

func knows(passphrase string) Passphrase {
	return func(string) (string, error) { return passphrase, nil }
}

func sameKey(a, b crypto.Signer) bool {
	k, ok := a.(interface{ Equal(crypto.PrivateKey) bool })
	return ok && b != nil && k.Equal(b)
}

func TestKeysOfEveryKind(t *testing.T) {
	for _, a := range KeyAlgorithms() {
		if a == KeyRSA4096 && testing.Short() {
			continue
		}
		key, err := NewKey(a, nil)
		must(t, err)
		if parsed, err := ParseKeyAlgorithm(string(a)); err != nil || parsed != a {
			t.Errorf("%s: %v", parsed, err)
		}
		for _, p := range []Protection{{}, quick("correct horse")} {
			path := filepath.Join(t.TempDir(), "a.key")
			must(t, SaveKey(path, key, p))
			text, err := os.ReadFile(path)
			must(t, err)
			if got, err := LoadKey(path, knows("correct horse")); err != nil || !sameKey(key, got) {
				t.Errorf("%s: %v", a, err)
			}
			protected, err := KeyProtected(path)
			if err != nil || protected != (p.Passphrase != "") || bytes.Contains(text, []byte(pemPrivateKey)) == protected {
				t.Errorf("%s: protected %v, %v", a, protected, err)
			}
		}
	}
	if _, err := ParseKeyAlgorithm("rsa1024"); err == nil || !strings.Contains(err.Error(), "rsa2048, rsa3072") {
		t.Errorf("rsa1024: %v", err)
	}
	if _, err := NewKey("dsa", nil); err == nil {
		t.Error("a DSA key was made")
	}
}

func TestProtectedKeysRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.key")
	must(t, SaveKey(path, privateKey("a"), quick("correct horse")))
	good, err := os.ReadFile(path)
	must(t, err)
	plain, err := keyText(privateKey("a"), Protection{})
	must(t, err)
	stop := errors.New("stop")
	for name, c := range map[string]struct {
		text []byte
		ask  Passphrase
		is   error
		want string
	}{
		"right":              {good, knows("correct horse"), nil, ""},
		"nobody to ask":      {good, nil, ErrNeedPassphrase, path},
		"asking fails":       {good, func(string) (string, error) { return "", stop }, stop, path},
		"wrong passphrase":   {good, knows("correct house"), ErrPassphrase, path},
		"empty passphrase":   {good, knows(""), ErrPassphrase, "empty"},
		"hostile work":       {reworked(t, good, "30"), knows("correct horse"), nil, "work factor too large"},
		"a little more work": {reworked(t, good, "18"), knows("correct horse"), nil, "work factor too large"},
		"for a recipient":    {forRecipient(t, plain), knows("correct horse"), nil, "not with a passphrase"},
		"garbage inside":     {locked(t, []byte("garbage")), knows("correct horse"), nil, "no PEM block"},
		"two keys inside":    {locked(t, append(bytes.Clone(plain), plain...)), knows("correct horse"), nil, "more in it"},
		"head only":          {[]byte(armor.Header), knows("correct horse"), nil, "cannot be decrypted"},
		"more behind":        {append(bytes.Clone(good), plain...), knows("correct horse"), nil, "cannot be decrypted"},
	} {
		must(t, os.WriteFile(path, c.text, 0o600))
		key, err := LoadKey(path, c.ask)
		switch {
		case c.want == "":
			if err != nil || !sameKey(privateKey("a"), key) {
				t.Errorf("%s: %v", name, err)
			}
		case err == nil || key != nil || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.want):
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	for n := range good[:len(good)-1] { // but for the last line end
		must(t, os.WriteFile(path, good[:n], 0o600))
		if _, err := LoadKey(path, knows("correct horse")); err == nil {
			t.Fatalf("cut to %d of %d bytes it is taken", n, len(good))
		}
	}
}

// dearmored is an age file without its armor.
func dearmored(t testing.TB, text []byte) []byte {
	t.Helper()
	raw, err := io.ReadAll(armor.NewReader(bytes.NewReader(text)))
	must(t, err)
	return raw
}

func armored(t testing.TB, raw []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := armor.NewWriter(&out)
	_, err := w.Write(raw)
	must(t, errors.Join(err, w.Close()))
	return out.Bytes()
}

// reworked claims another work factor in the head of a protected key.
func reworked(t testing.TB, text []byte, factor string) []byte {
	t.Helper()
	head, rest, ok := bytes.Cut(dearmored(t, text), []byte(" 4\n"))
	if !ok {
		t.Fatal("no work factor in the head")
	}
	return armored(t, bytes.Join([][]byte{head, rest}, []byte(" "+factor+"\n")))
}

func locked(t testing.TB, plain []byte) []byte {
	t.Helper()
	text, err := encrypt(plain, quick("correct horse"))
	must(t, err)
	return text
}

func forRecipient(t testing.TB, plain []byte) []byte {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	must(t, err)
	var out bytes.Buffer
	w, err := age.Encrypt(&out, id.Recipient())
	must(t, err)
	_, err = w.Write(plain)
	must(t, errors.Join(err, w.Close()))
	return armored(t, out.Bytes())
}

// FuzzKeyText: whatever a key file holds, it is a key that writes the same
// again, or refused.
func FuzzKeyText(f *testing.F) {
	plain, err := keyText(privateKey("a"), Protection{})
	must(f, err)
	f.Add(plain)
	f.Add(locked(f, plain))
	f.Add(reworked(f, locked(f, plain), "30"))
	f.Add(forRecipient(f, plain))
	f.Fuzz(func(t *testing.T, text []byte) {
		if encrypted(text) {
			opened, err := decrypt(text, "correct horse", 5)
			if err != nil {
				return
			}
			text = opened
		}
		key, err := parseKey(text)
		if err != nil {
			return
		}
		again, err := keyText(key, Protection{})
		must(t, err)
		if same, err := parseKey(again); err != nil || !sameKey(key, same) {
			t.Errorf("written again it is another key: %v", err)
		}
	})
}

func TestProtect(t *testing.T) {
	for passphrase, ok := range map[string]bool{"": false, "1234567": false, "12345678": true, "äöüßäöü": false, "äöüßäöüß": true} {
		if p, err := Protect(passphrase); (err == nil) != ok || !ok && !errors.Is(err, ErrWeakPassphrase) || ok && p.Passphrase != passphrase {
			t.Errorf("%q: %v", passphrase, err)
		}
	}
}

// TestKeysAreAskedForBeforeAnyIsWritten: who gives up at the second passphrase
// leaves nothing behind.
func TestKeysAreAskedForBeforeAnyIsWritten(t *testing.T) {
	dir := t.TempDir()
	asked := 0
	form := KeyForm{Protect: func(string) (Protection, error) {
		if asked++; asked == 2 {
			return Protection{}, ErrWeakPassphrase
		}
		return quick("correct horse"), nil
	}}
	_, err := Found(filepath.Join(dir, "plant"), Founding{Name: "n", Admins: []string{"ada"}, Time: foundedAt, Keys: form})
	if !errors.Is(err, ErrWeakPassphrase) {
		t.Error(err)
	}
	keys, err := filepath.Glob(filepath.Join(dir, "*", "*", "*.key"))
	if err != nil || len(keys) > 0 {
		t.Errorf("left behind: %v %v", keys, err)
	}
}

func TestPassphraseSources(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		text string
		mode fs.FileMode
		want string // the passphrase, or what the error says
	}{
		"one line":             {"correct horse\n", 0o600, "correct horse"},
		"without a line end":   {" correct horse ", 0o400, " correct horse "},
		"of another system":    {"correct horse\r\n", 0o600, "correct horse"},
		"empty":                {"\n", 0o600, "empty"},
		"two lines":            {"a\nb\n", 0o600, "more than one line"},
		"too long":             {strings.Repeat("x", maxPassphrase+1), 0o600, "more than the 1024"},
		"open to the group":    {"correct horse\n", 0o640, "chmod 600"},
		"open to all":          {"correct horse\n", 0o604, "chmod 600"},
		"a line of a carriage": {"a\rb\n", 0o600, "more than one line"},
	} {
		path := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
		must(t, os.WriteFile(path, []byte(c.text), 0o600))
		must(t, os.Chmod(path, c.mode))
		ask := PassphraseFile(path)
		for range 2 { // asked for each key
			got, err := ask("a.key")
			if err == nil && got != c.want || err != nil && (!strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path)) {
				t.Errorf("%s: %q, %v; want %q", name, got, err, c.want)
			}
		}
	}
	if _, err := PassphraseFile(filepath.Join(dir, "none"))("a.key"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	pipe := filepath.Join(dir, "pipe")
	must(t, unix.Mkfifo(pipe, 0o600))
	written := make(chan error)
	go func() { written <- os.WriteFile(pipe, []byte("through a pipe\n"), 0) }()
	if got, err := PassphraseFile(pipe)("a.key"); err != nil || got != "through a pipe" {
		t.Errorf("%q, %v", got, err)
	}
	must(t, <-written)
}

func TestPassphraseDescriptors(t *testing.T) {
	r, w, err := os.Pipe()
	must(t, err)
	_, err = w.WriteString("correct horse\n")
	must(t, errors.Join(err, w.Close()))
	fd, err := unix.Dup(int(r.Fd())) // PassphraseFD closes what it read
	must(t, errors.Join(err, r.Close()))
	ask := PassphraseFD(fd)
	for range 2 {
		if got, err := ask("a.key"); err != nil || got != "correct horse" {
			t.Errorf("%q, %v", got, err)
		}
	}
	if _, err := PassphraseFD(fd)("a.key"); err == nil || !strings.Contains(err.Error(), "is not open") {
		t.Errorf("closed: %v", err)
	}
	master, slave, err := pty.Open()
	must(t, err)
	defer master.Close()
	defer slave.Close()
	if _, err := PassphraseFD(int(slave.Fd()))("a.key"); err == nil || !strings.Contains(err.Error(), "is a terminal") {
		t.Errorf("a terminal: %v", err)
	}
}

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"traveler.example/agent"
)

const boardSecret = "what the board is given"

// protect gives the gateway's key a passphrase, with little work.
func (g *gateway) protect() {
	g.t.Helper()
	_, err := agent.RewriteKey(filepath.Join(g.dir, agent.BoardKey), nil, agent.KeyForm{
		Protect: func(string) (agent.Protection, error) {
			return agent.Protection{Passphrase: boardSecret, WorkFactor: 4}, nil
		},
	})
	ok(g.t, err)
}

// TestProtectedKeyWithoutPassphrase: the daemon asks nobody. It says what is to
// be done, and ends with the code on which systemd does not try again.
func TestProtectedKeyWithoutPassphrase(t *testing.T) {
	t.Parallel()
	g := newPlant(t).gateway("g", "S-1", "drilling", noBroker)
	g.protect()
	g.start()
	<-g.end
	if code := g.cmd.ProcessState.ExitCode(); code != exitConfig {
		t.Errorf("exit code %d, want %d", code, exitConfig)
	}
	log := strings.Join(g.lines(), "\n")
	for _, want := range []string{"key.refused", "remedy: give travelerd --passphrase-file", "LoadCredential=passphrase:FILE"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log does not say %q:\n%s", want, log)
		}
	}
}

// TestKeysFromElsewhere starts gateways whose key or passphrase comes from a flag
// or from systemd.
func TestKeysFromElsewhere(t *testing.T) {
	t.Parallel()
	write := func(t *testing.T, name, text string) string {
		path := filepath.Join(t.TempDir(), name)
		ok(t, os.WriteFile(path, []byte(text), 0o400))
		return path
	}
	for name, prepare := range map[string]func(t *testing.T, g *gateway){
		"passphrase in a file": func(t *testing.T, g *gateway) {
			g.protect()
			g.flags = []string{"--passphrase-file", write(t, "secret", boardSecret+"\n")}
		},
		"passphrase as credential": func(t *testing.T, g *gateway) {
			g.protect()
			g.env = []string{"CREDENTIALS_DIRECTORY=" + filepath.Dir(write(t, agent.PassphraseName, boardSecret+"\n"))}
		},
		"key as credential": func(t *testing.T, g *gateway) {
			key, err := os.ReadFile(filepath.Join(g.dir, agent.BoardKey))
			ok(t, err)
			ok(t, os.Remove(filepath.Join(g.dir, agent.BoardKey)))
			g.env = []string{"CREDENTIALS_DIRECTORY=" + filepath.Dir(write(t, agent.BoardKey, string(key)))}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newPlant(t).gateway("g", "S-1", "drilling", noBroker)
			prepare(t, g)
			g.start()
			g.logged("daemon.ready")
			if code := g.stop(); code != exitOK {
				t.Errorf("exit code %d", code)
			}
		})
	}
}

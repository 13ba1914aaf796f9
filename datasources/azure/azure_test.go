package azure_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/datasources"
	"cloudconfig/datasources/azure"
	"cloudconfig/datasources/metadatatest"
	"cloudconfig/datasources/xmltree"
	"cloudconfig/schema"
)

const (
	key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGR2hR3oFvvFxHTGLYd2vPkFbjR0pt4lI9AUsYJyYpnB admin"
	// ovfEnv is as the media have it, but for %s: what else stands in the set. Source: cloud-init,
	// tests/unittests/sources/test_azure.py (2026).
	ovfEnv = `<?xml version="1.0" encoding="utf-8"?>
<ns0:Environment xmlns:ns0="http://schemas.dmtf.org/ovf/environment/1" xmlns:ns1="http://schemas.microsoft.com/windowsazure" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <ns1:ProvisioningSection>
    <ns1:Version>1.0</ns1:Version>
    <ns1:LinuxProvisioningConfigurationSet>
      <ns1:ConfigurationSetType>LinuxProvisioningConfiguration</ns1:ConfigurationSetType>
      <ns1:HostName>media1</ns1:HostName>
      <ns1:UserName>core</ns1:UserName>
      <ns1:UserPassword>s3cret</ns1:UserPassword>
      <ns1:SSH><ns1:PublicKeys>
        <ns1:PublicKey><ns1:Fingerprint>EB0C0AB4B2D5FC35F2F0658D19F44C8283E2DD62</ns1:Fingerprint><ns1:Path>/home/core/.ssh/authorized_keys</ns1:Path></ns1:PublicKey>
        <ns1:PublicKey><ns1:Path>/home/core/.ssh/authorized_keys</ns1:Path><ns1:Value>ssh-rsa AAAA media</ns1:Value></ns1:PublicKey>
      </ns1:PublicKeys></ns1:SSH>
      %s
    </ns1:LinuxProvisioningConfigurationSet>
  </ns1:ProvisioningSection>
  <ns1:PlatformSettingsSection><ns1:Version>1.0</ns1:Version><ns1:PlatformSettings><ns1:ProvisionGuestAgent>true</ns1:ProvisionGuestAgent></ns1:PlatformSettings></ns1:PlatformSettingsSection>
</ns0:Environment>
`
)

func customData(text string) string {
	return "<ns1:CustomData>\n" + base64.StdEncoding.EncodeToString([]byte(text)) + "\n</ns1:CustomData>"
}

func TestLadder(t *testing.T) {
	metadatatest.Ladder(t, metadatatest.Platform{
		Serve: metadatatest.ServeAzure, New: inEmptyRoot(t), Requests: 1, Series: 1, Starts: true,
	})
}

// inEmptyRoot makes sources that see no disk.
func inEmptyRoot(t *testing.T) func(datasources.Env, string) (datasources.Source, error) {
	root := t.TempDir()
	return func(env datasources.Env, arg string) (datasources.Source, error) {
		env.Root = root
		return azure.New(env, arg)
	}
}

// While the service is updated it says that everything is gone.
func TestGone(t *testing.T) {
	w := metadatatest.NewWorld(t, metadatatest.Azure(metadatatest.ExampleVM, nil, nil, metadatatest.Fault{Trouble: metadatatest.Status, Code: 410, Until: 5 * time.Second}), 0)
	s, err := inEmptyRoot(t)(w.Env, w.URL)
	if err != nil {
		t.Fatal(err)
	}
	err = w.Env.Retry(t.Context(), "azure", func(ctx context.Context) error {
		_, err := s.Fetch(ctx)
		return err
	})
	if err != nil || w.Clock.Since() > 6500*time.Millisecond {
		t.Errorf("after %v, error %v", w.Clock.Since(), err)
	}
}

func fetch(t *testing.T, vm string, userData []byte, media func() ([]byte, error)) (datasources.Data, error) {
	t.Helper()
	w := metadatatest.NewWorld(t, metadatatest.Azure(vm, userData, nil), 0)
	s, err := inEmptyRoot(t)(w.Env, w.URL)
	if err != nil {
		t.Fatal(err)
	}
	if media != nil {
		s = azure.WithMedia(s, media)
	}
	return s.Fetch(t.Context())
}

func wholeMetadata() schema.Metadata {
	return schema.Metadata{
		Version: 1, Datasource: "azure", InstanceID: "02aab8a4-74ef-476e-8182-f6d2ba4166a6", Hostname: "web1", Region: "westeurope", Zone: "2",
		InstanceType: "Standard_A3", PublicIPv4: "203.0.113.7", PrivateIPv4: "10.144.133.132", PrivateIPv6: "fd00::7", SSHKeys: []string{key},
	}
}

func TestEverything(t *testing.T) {
	data, err := fetch(t, metadatatest.ExampleVM, []byte("#!/bin/sh\n\xff"), nil)
	if err != nil {
		t.Fatal(err)
	}
	network := data.Network
	data.Network = nil
	want := datasources.Data{
		UserData: []byte("#!/bin/sh\n\xff"), Name: "user-data", Meta: wholeMetadata(),
		Tree: map[string]any{"meta_data": map[string]any{
			"vm_id": "02aab8a4-74ef-476e-8182-f6d2ba4166a6", "name": "web-vm_1", "location": "westeurope", "zone": "2", "vm_size": "Standard_A3",
			"tags": map[string]any{"team": "blue"}, "admin_username": "admin",
		}},
	}
	if diff := cmp.Diff(want, data); diff != "" {
		t.Error(diff)
	}
	if len(network) != 1 || network[0].Kind != "azure" || !strings.Contains(string(network[0].Bytes), "0011AAFFBB22") {
		t.Errorf("network %+v", network)
	}
}

func TestMedia(t *testing.T) {
	nameless := strings.Replace(metadatatest.ExampleVM, `, "computerName": "web1"`, "", 1)
	for _, tt := range []struct {
		name, vm, media string
		trouble         error
		wantData        string
		want            func(*schema.Metadata)
		wantText        string
	}{
		{name: "none", vm: nameless, wantData: "service", want: func(m *schema.Metadata) { m.Hostname = "web-vm_1" }},
		{
			name: "custom data comes before user-data, and keys are added", vm: metadatatest.ExampleVM, media: fmt.Sprintf(ovfEnv, customData("media")), wantData: "media",
			want: func(m *schema.Metadata) { m.SSHKeys = []string{key, "ssh-rsa AAAA media"} },
		},
		{
			name: "no custom data, and a hostname that the service has not", vm: nameless, media: fmt.Sprintf(ovfEnv, ""), wantData: "service",
			want: func(m *schema.Metadata) { m.Hostname, m.SSHKeys = "media1", []string{key, "ssh-rsa AAAA media"} },
		},
		{name: "another platform's", vm: metadatatest.ExampleVM, media: `<Environment><PropertySection/></Environment>`, wantData: "service", want: func(*schema.Metadata) {}},
		{name: "custom data that is none", vm: metadatatest.ExampleVM, media: fmt.Sprintf(ovfEnv, "<ns1:CustomData>s3cret!</ns1:CustomData>"), wantText: "ovf-env.xml: CustomData: it is not base64"},
		{name: "a hostname that is none", vm: metadatatest.ExampleVM, media: strings.Replace(ovfEnv, "media1", "..&#47;b", 1), wantText: `HostName: "../b" is not a hostname`},
		{name: "not XML", vm: metadatatest.ExampleVM, media: "<s3cret", wantText: "ovf-env.xml: line 1 of the XML"},
		{name: "a document type", vm: metadatatest.ExampleVM, media: "<!DOCTYPE s3cret><a/>", wantText: "document type"},
		{name: "that cannot be read", vm: metadatatest.ExampleVM, trouble: errors.New("the kernel does not know udf"), wantText: "does not know udf"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			data, err := fetch(t, tt.vm, []byte("service"), func() ([]byte, error) {
				if tt.media == "" {
					return nil, tt.trouble
				}
				return []byte(tt.media), nil
			})
			if tt.wantText != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantText) || strings.Contains(err.Error(), "s3cret") || errors.Is(err, datasources.ErrNotReady) {
					t.Errorf("error %v, want %q", err, tt.wantText)
				}
				if tt.trouble != nil && (data.Meta.Hostname != "web1" || data.UserData != nil) {
					t.Errorf("what there is of the platform's metadata still lets somebody in: %+v", data)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := wholeMetadata()
			tt.want(&want)
			if diff := cmp.Diff(want, data.Meta); diff != "" || string(data.UserData) != tt.wantData {
				t.Errorf("%s user-data %q", diff, data.UserData)
			}
		})
	}
}

func TestValues(t *testing.T) {
	vm := func(compute string) string { return `{"compute": {"vmId": "A-1"` + compute + `}}` }
	for _, tt := range []struct {
		name, vm string
		want     schema.Metadata
		wantText string
		notReady bool
	}{
		{name: "next to nothing", vm: vm(""), want: schema.Metadata{InstanceID: "a-1"}},
		{name: "a resource whose name is no hostname", vm: vm(`, "name": "my vm"`), want: schema.Metadata{InstanceID: "a-1"}},
		{name: "a certificate for a key", vm: vm(`, "publicKeys": [{"keyData": "-----BEGIN CERTIFICATE-----\r\nA\r\n-----END CERTIFICATE-----"}, {"keyData": "ssh-rsa A\r\n"}]`),
			want: schema.Metadata{InstanceID: "a-1", SSHKeys: []string{"ssh-rsa A"}}},
		{name: "a description that is empty", vm: `{"compute": {"vmId": "a-1"}, "network": {"interface": [{"ipv4": {"ipAddress": [{"privateIpAddress": "", "publicIpAddress": ""}]}}]}}`,
			want: schema.Metadata{InstanceID: "a-1"}},
		{name: "no id", vm: `{"compute": {}}`, wantText: "it has no vmId", notReady: true},
		{name: "not JSON", vm: `{"s3cret`, wantText: "metadata/instance: it is not the JSON of an instance"},
		{name: "a list", vm: `["s3cret"]`, wantText: "not the JSON of an instance"},
		{name: "a network that is none", vm: `{"compute": {"vmId": "a-1"}, "network": []}`, wantText: "not the JSON of an instance"},
		{name: "user-data that is not base64", vm: vm(`, "userData": "s3cret!"`), wantText: "userData: it is not base64"},
		{name: "a name with an escape", vm: vm(`, "osProfile": {"computerName": "\u001b"}`), wantText: `computerName: "\x1b"`},
		{name: "a size of two words", vm: vm(`, "vmSize": "a b"`), wantText: "vmSize"},
		{name: "keys without end", vm: vm(`, "publicKeys": [` + strings.Repeat(`{"keyData":"a"},`, 65) + `{}]`), wantText: "more than 64 keys"},
		{name: "an address that no machine has", vm: `{"compute": {"vmId": "a-1"}, "network": {"interface": [{"ipv4": {"ipAddress": [{"privateIpAddress": "224.0.0.1"}]}}]}}`, wantText: "privateIpAddress"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			data, err := fetch(t, strings.ReplaceAll(tt.vm, "%", "%%"), nil, nil)
			if tt.wantText != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantText) || errors.Is(err, datasources.ErrNotReady) != tt.notReady || errors.Is(err, datasources.ErrAbsent) {
					t.Errorf("error %v, want %q", err, tt.wantText)
				}
				if err != nil && (strings.Contains(err.Error(), "s3cret") || strings.ContainsFunc(err.Error(), unicode.IsControl)) {
					t.Errorf("the error cannot be printed: %q", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			tt.want.Version, tt.want.Datasource = 1, "azure"
			if diff := cmp.Diff(tt.want, data.Meta); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestReport(t *testing.T) {
	type faults = []metadatatest.Fault
	hostile := "configuration refused: <b>&\x1b\u202e" + strings.Repeat("é", 400)
	for _, tt := range []struct {
		name, state string
		faults      faults
		after       time.Duration
		ready       bool
		reason      string
		want        string // in the report
		wantText    string // of the error
		within      time.Duration
	}{
		{name: "ready", ready: true, want: "<State>Ready</State></Health>"},
		{name: "not ready", reason: hostile, want: "<State>NotReady</State><Details><SubStatus>ProvisioningFailed</SubStatus><Description>configuration refused: &lt;b&gt;&amp;\u202eé"},
		{name: "503 for 5 s", ready: true, faults: faults{{Trouble: metadatatest.Status, Code: 503, Until: 5 * time.Second}}, want: "Ready", within: 6500 * time.Millisecond},
		{name: "404 while it starts", ready: true, faults: faults{{Trouble: metadatatest.Status, Code: 404, Until: 5 * time.Second}}, want: "Ready", within: 6500 * time.Millisecond},
		{name: "refused for 5 s", ready: true, after: 5 * time.Second, want: "Ready", within: 6500 * time.Millisecond},
		{name: "a report that is lost", ready: true, faults: faults{{Trouble: metadatatest.Reset, Method: "POST", Times: 2}}, want: "Ready", within: 3 * time.Second},
		{name: "a goal state that is cut short", ready: true, faults: faults{{Trouble: metadatatest.Truncate, Method: "GET", Times: 2}}, want: "Ready", within: 3 * time.Second},
		{name: "garbage for a while", ready: true, faults: faults{{Trouble: metadatatest.Garbage, Method: "GET", Until: 5 * time.Second}}, want: "Ready", within: 6500 * time.Millisecond},
		{name: "503 for ever", ready: true, faults: faults{{Trouble: metadatatest.Status, Code: 503}}, wantText: "status 503"},
		{name: "400 for the report", ready: true, faults: faults{{Trouble: metadatatest.Status, Code: 400, Method: "POST"}}, wantText: "status 400"},
		{name: "a goal state of nobody", state: "<GoalState><Incarnation>1</Incarnation></GoalState>", ready: true, wantText: "it names no machine"},
		{name: "a goal state that wants to be markup", state: "<G><Incarnation>1</Incarnation><Container><ContainerId>&lt;/ContainerId&gt;</ContainerId><RoleInstanceList><RoleInstance><InstanceId>i</InstanceId></RoleInstance></RoleInstanceList></Container></G>",
			ready: true, want: "<ContainerId>&lt;/ContainerId&gt;</ContainerId>"},
		{name: "an oversize goal state", state: strings.Repeat(" ", 300<<10), ready: true, wantText: "larger than 256 KiB"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			wire := &metadatatest.Wireserver{GoalState: tt.state}
			w := metadatatest.NewWorld(t, metadatatest.Azure(metadatatest.ExampleVM, nil, wire, tt.faults...), tt.after)
			s, err := azure.New(w.Env, w.URL)
			if err != nil {
				t.Fatal(err)
			}
			err = s.(datasources.Reporter).Report(t.Context(), tt.ready, tt.reason)
			if tt.wantText != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantText) || len(wire.Reports()) > 0 {
					t.Errorf("error %v, want %q; reports %q", err, tt.wantText, wire.Reports())
				}
				return
			}
			reports := wire.Reports()
			if err != nil || len(reports) != 1 || !strings.Contains(reports[0], tt.want) {
				t.Fatalf("error %v, reports %q", err, reports)
			}
			root, err := xmltree.Parse(reports[0])
			if err != nil {
				t.Fatal(err)
			}
			role := root.Find("Container", "RoleInstanceList", "Role")
			if role.String("InstanceId") == "" || root.String("GoalStateIncarnation") != "1" || len(role.String("Health", "Details", "Description")) > 512 {
				t.Errorf("report %s", reports[0])
			}
			if tt.within > 0 && w.Clock.Since() > tt.within {
				t.Errorf("took %v", w.Clock.Since())
			}
		})
	}
}

// Who waits for the report decides for how long.
func TestReportEnds(t *testing.T) {
	w := metadatatest.NewWorld(t, metadatatest.Azure(metadatatest.ExampleVM, nil, nil, metadatatest.Fault{Trouble: metadatatest.Hang}), 0)
	s, err := azure.New(w.Env, w.URL)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.(datasources.Reporter).Report(ctx, true, ""); !errors.Is(err, datasources.ErrNotReady) {
		t.Errorf("error %v", err)
	}
}

// The service refuses who does not say that it knows what it asks.
func TestHeaders(t *testing.T) {
	h := metadatatest.Azure(metadatatest.ExampleVM, nil, &metadatatest.Wireserver{})
	w := metadatatest.NewWorld(t, h, 0)
	for _, path := range []string{"/metadata/instance?api-version=2021-08-01", "/machine/?comp=goalstate"} {
		resp, err := http.Get(w.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: status %d", path, resp.StatusCode)
		}
	}
}

const sharedConfig = `<?xml version="1.0" encoding="utf-8"?>
<SharedConfig version="1.0.0.0" goalStateIncarnation="1">
  <Incarnation number="1" instance="web-1" guid="{8767eb4b-b445-4783-b1f5-6c0beaf41ea0}" />
  <Instances>
    <Instance id="web-0" address="100.73.202.63"/>
    <Instance id="web-1" address="100.73.202.64">
      <InputEndpoints>
        <Endpoint name="internal" address="100.73.202.64" loadBalancedPublicAddress="191.239.39.76"/>
        <Endpoint name="ssh" address="100.73.202.64:22" loadBalancedPublicAddress="191.239.39.77:22"/>
        <Endpoint name="web" address="100.73.202.64:80" loadBalancedPublicAddress="191.239.39.78:80"/>
      </InputEndpoints>
    </Instance>
  </Instances>
</SharedConfig>`

func TestAgent(t *testing.T) {
	meta := func(change func(*schema.Metadata)) schema.Metadata {
		m := schema.Metadata{Version: 1, Datasource: "azure"}
		change(&m)
		return m
	}
	for _, tt := range []struct {
		name     string
		files    map[string]string
		want     schema.Metadata
		wantData string
		wantText string
		notReady bool
	}{
		{name: "the agent has not come so far", files: map[string]string{"CustomData": "x"}, wantText: "the agent is not done yet", notReady: true},
		{name: "nothing", files: map[string]string{"provisioned": "", "CustomData": "", "SharedConfig.xml": ""}, want: meta(func(*schema.Metadata) {})},
		{
			name:     "everything",
			files:    map[string]string{"provisioned": "", "CustomData": "#!x", "SharedConfig.xml": sharedConfig, "ovf-env.xml": fmt.Sprintf(ovfEnv, customData("other"))},
			wantData: "#!x",
			want: meta(func(m *schema.Metadata) {
				m.PrivateIPv4, m.PublicIPv4, m.Hostname, m.SSHKeys = "100.73.202.64", "191.239.39.77", "media1", []string{"ssh-rsa AAAA media"}
			}),
		},
		{name: "custom data that the agent left in its document", files: map[string]string{"provisioned": "", "ovf-env.xml": fmt.Sprintf(ovfEnv, customData("#!y"))}, wantData: "#!y",
			want: meta(func(m *schema.Metadata) { m.Hostname, m.SSHKeys = "media1", []string{"ssh-rsa AAAA media"} })},
		{name: "another's instance alone", files: map[string]string{"provisioned": "", "SharedConfig.xml": `<S><Incarnation instance="a"/><Instances><Instance id="b" address="10.0.0.1"/></Instances></S>`},
			want: meta(func(*schema.Metadata) {})},
		{name: "an address that is none", files: map[string]string{"provisioned": "", "SharedConfig.xml": strings.ReplaceAll(sharedConfig, "100.73.202.64", "::1%x")}, wantText: "SharedConfig.xml: address"},
		{name: "not XML", files: map[string]string{"provisioned": "", "SharedConfig.xml": "s3cret"}, wantText: "SharedConfig.xml: the XML is not one element"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range tt.files {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			s, err := azure.New(datasources.Env{}, dir)
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := s.(datasources.Reporter); ok {
				t.Error("it is the agent that reports")
			}
			data, err := s.Fetch(t.Context())
			if tt.wantText != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantText) || errors.Is(err, datasources.ErrNotReady) != tt.notReady || strings.Contains(err.Error(), "s3cret") {
					t.Errorf("error %v, want %q", err, tt.wantText)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, data.Meta); diff != "" || string(data.UserData) != tt.wantData {
				t.Errorf("%s user-data %q", diff, data.UserData)
			}
		})
	}
}

func TestAgentReadsFilesOnly(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"provisioned", "CustomData"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	s, _ := azure.New(datasources.Env{}, dir)
	if _, err := s.Fetch(t.Context()); err == nil || !strings.Contains(err.Error(), "is not a regular file") {
		t.Errorf("error %v", err)
	}
}

func TestNew(t *testing.T) {
	if s, err := azure.New(datasources.Env{}, ""); err != nil || s.Name() != "azure" {
		t.Error(err)
	}
	if _, err := azure.New(datasources.Env{}, "http://a/b"); err == nil || !strings.Contains(err.Error(), "more than a scheme and a host") {
		t.Errorf("error %v", err)
	}
}

func FuzzMetadata(f *testing.F) {
	f.Add([]byte(strings.Replace(metadatatest.ExampleVM, "%s", "Zm9v", 1)))
	f.Fuzz(func(t *testing.T, text []byte) {
		data, err := azure.Decode(text)
		if err != nil && strings.ContainsFunc(err.Error(), unicode.IsControl) {
			t.Errorf("the error cannot be printed: %q", err)
		}
		if err == nil && (data.Meta.InstanceID == "" || len(data.Meta.SSHKeys) > 64) {
			t.Errorf("took %+v", data.Meta)
		}
	})
}

func FuzzOVF(f *testing.F) {
	f.Add([]byte(fmt.Sprintf(ovfEnv, customData("x"))))
	f.Add([]byte(sharedConfig))
	f.Fuzz(func(t *testing.T, text []byte) {
		var meta schema.Metadata
		_, err1 := azure.ParseMedia(text)
		_, err2 := azure.HealthReport(text, false, string(text))
		for _, err := range []error{err1, err2, azure.ParseShared(&meta, text)} {
			if err != nil && strings.ContainsFunc(err.Error(), unicode.IsControl) {
				t.Errorf("the error cannot be printed: %q", err)
			}
		}
	})
}

package metadatatest

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
)

// ExampleVM is a virtual machine with everything, as the service has it but for %s, which is the user-data in base64.
// Source: Microsoft Learn, "Azure Instance Metadata Service", sample of api-version 2021-08-01 (2026).
const ExampleVM = `{
  "compute": {
    "azEnvironment": "AzurePublicCloud",
    "customData": "",
    "location": "westeurope",
    "name": "web-vm_1",
    "osProfile": {"adminUsername": "admin", "computerName": "web1", "disablePasswordAuthentication": "true"},
    "osType": "Linux",
    "publicKeys": [{"keyData": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGR2hR3oFvvFxHTGLYd2vPkFbjR0pt4lI9AUsYJyYpnB admin", "path": "/home/admin/.ssh/authorized_keys"}],
    "tags": "team:blue",
    "tagsList": [{"name": "team", "value": "blue"}],
    "userData": "%s",
    "vmId": "02AAB8A4-74EF-476E-8182-F6D2BA4166A6",
    "vmSize": "Standard_A3",
    "zone": "2"
  },
  "network": {
    "interface": [{
      "ipv4": {"ipAddress": [{"privateIpAddress": "10.144.133.132", "publicIpAddress": "203.0.113.7"}], "subnet": [{"address": "10.144.133.128", "prefix": "26"}]},
      "ipv6": {"ipAddress": [{"privateIpAddress": "fd00::7"}]},
      "macAddress": "0011AAFFBB22"
    }]
  }
}`

// Wireserver is what Azure's service of that name was told.
type Wireserver struct {
	// GoalState is its answer; "" means one of a machine.
	GoalState string
	mu        sync.Mutex
	reports   []string
}

// Reports is every body of a health report, in their order.
func (s *Wireserver) Reports() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.reports...)
}

// exampleGoalState is as WALinuxAgent's tests have one (tests/data/wire/goal_state.xml, 2.11), without what is not asked for.
const exampleGoalState = `<?xml version="1.0" encoding="utf-8"?>
<GoalState xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema" xsi:noNamespaceSchemaLocation="goalstate10.xsd">
  <Version>2010-12-15</Version>
  <Incarnation>1</Incarnation>
  <Machine>
    <ExpectedState>Started</ExpectedState>
    <StopRolesDeadlineHint>300000</StopRolesDeadlineHint>
    <LBProbePorts><Port>16001</Port></LBProbePorts>
    <ExpectHealthReport>FALSE</ExpectHealthReport>
  </Machine>
  <Container>
    <ContainerId>c6d5526c-5ac2-4200-b6e2-56f2b70c5ab2</ContainerId>
    <RoleInstanceList>
      <RoleInstance>
        <InstanceId>MachineRole_IN_0</InstanceId>
        <State>Started</State>
        <Configuration><HostingEnvironmentConfig>http://168.63.129.16:80/machine/hosting</HostingEnvironmentConfig></Configuration>
      </RoleInstance>
    </RoleInstanceList>
  </Container>
</GoalState>`

// Azure makes the metadata service of a virtual machine and, at the same address, its wireserver, which may be nil. Empty
// user-data is as absent.
func Azure(vm string, userData []byte, wire *Wireserver, faults ...Fault) *Handler {
	if strings.Contains(vm, "%s") {
		vm = fmt.Sprintf(vm, base64.StdEncoding.EncodeToString(userData))
	}
	return New(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case wire != nil && strings.TrimSuffix(r.URL.Path, "/") == "/machine":
			wire.serve(w, r)
		case !strings.HasPrefix(r.URL.Path, "/metadata/"):
			write404(w)
		default:
			serveIMDS(w, r, vm)
		}
	}), faults...)
}

func serveIMDS(w http.ResponseWriter, r *http.Request, vm string) {
	refuse := func(status int, text string) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, `{ "error": %q }`, text)
	}
	w.Header().Set("Server", "IMDS/150.870.65.1475")
	q := r.URL.Query()
	switch {
	case r.Header.Get("Metadata") != "true":
		refuse(http.StatusBadRequest, "Bad request. Required metadata header not specified")
	case r.Header.Get("X-Forwarded-For") != "":
		refuse(http.StatusBadRequest, "Bad request. X-Forwarded-For header is not allowed")
	case r.Method != http.MethodGet:
		refuse(http.StatusMethodNotAllowed, "Method not allowed")
	case q.Get("api-version") == "":
		refuse(http.StatusBadRequest, "Bad request. api-version was not specified in the request")
	case q.Get("api-version") != "2021-08-01":
		refuse(http.StatusBadRequest, "Bad request. api-version is invalid or was not specified in the request")
	case r.URL.Path == "/metadata/instance":
		write(w, "application/json; charset=utf-8", vm)
	default:
		refuse(http.StatusNotFound, "Not found")
	}
}

// serve answers as the wireserver does: without the header of a version it refuses.
func (s *Wireserver) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Server", "Microsoft-IIS/10.0")
	body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	switch comp := r.URL.Query().Get("comp"); {
	case r.Header.Get("X-Ms-Version") != "2012-11-30":
		w.WriteHeader(http.StatusBadRequest)
	case comp == "goalstate" && r.Method == http.MethodGet:
		state := s.GoalState
		if state == "" {
			state = exampleGoalState
		}
		write(w, "text/xml; charset=utf-8", state)
	case comp == "health" && r.Method == http.MethodPost && strings.HasPrefix(r.Header.Get("Content-Type"), "text/xml"):
		s.mu.Lock()
		s.reports = append(s.reports, string(body))
		s.mu.Unlock()
		w.WriteHeader(http.StatusOK)
	default:
		w.WriteHeader(http.StatusBadRequest)
	}
}

"""The volumes in memory keep the contract that real ones keep."""

import uuid
from collections.abc import Sequence

import pytest

from higgins.model.ids import VolumeId
from higgins.testing.volume_contract import MountContract, VolumeContract
from higgins.testing.volumes import FakeMount, FakeVolumes


class TestFakeVolumes(VolumeContract):
    @pytest.fixture
    def volumes(self) -> Sequence[VolumeId]:
        return [VolumeId(str(uuid.uuid4())) for _ in range(2)]

    @pytest.fixture
    def provider(self, volumes: Sequence[VolumeId]) -> FakeVolumes:
        return FakeVolumes(volumes)


class TestFakeMount(MountContract):
    @pytest.fixture
    def mounter(self) -> FakeMount:
        return FakeMount()

"""Huawei Ascend, through npu_bridge."""
